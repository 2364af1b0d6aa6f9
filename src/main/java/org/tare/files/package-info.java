/**
 * Folders that belong to a process: temporary ones, and what a killed process leaves behind. Uses
 * nothing but the JDK.
 *
 * <p>The protocol: a process writes a file {@code _OWNER} into each folder that it makes for
 * itself: user, machine, process id and start of the process. Another process of the same user on
 * the same machine sees from it whether the owner still lives. From elsewhere that cannot be seen;
 * there a folder counts as left behind when nobody has touched its {@code _OWNER} for a day.
 */
package org.tare.files;
