/**
 * Files and output folders on any file system that Hadoop reaches. May use Hadoop, Jackson for the
 * manifest, and {@code org.tare.files}.
 *
 * <p>Paths: {@link org.tare.store.HadoopFiles} resolves all of them by one rule.
 *
 * <p>An output folder is written into a working folder beside its place, with a manifest of its own
 * ({@code _TARE.json}) and {@code _SUCCESS} last, and appears at its place in one step:
 *
 * <ul>
 *   <li>On the local file system and on HDFS by a rename, which is atomic and fails where the place
 *       is taken ({@code RenamePublishing}). At every moment the place holds the former folder, the
 *       new one, or, between two renames, nothing; then the next start puts the former one back.
 *   <li>Elsewhere, on object stores above all, by copies that a claim file guards ({@code
 *       ClaimPublishing}). Readers wait for {@code _SUCCESS}, which is copied last. A process that
 *       was killed while it copied is finished by the next start. The claim is as exclusive as the
 *       store's create-if-absent: S3A asks for a conditional write, which Hadoop 3.4.2 and newer
 *       know.
 * </ul>
 */
package org.tare.store;
