/**
 * Calibration states over time, in a folder on any file system that Hadoop reaches. May use
 * Jackson, {@code org.tare.store} and {@code org.tare.stats}.
 *
 * <p>The folder:
 *
 * <pre>
 *   _TARE_STATES.json                        says that it is such a store
 *   blobs/ab/abcdef….tare                    a state's file, under the SHA-256 of its bytes
 *   entries/MODEL-CONFIG/SLICE~000001.json   what the first version of a slice is: names its blob
 * </pre>
 *
 * <p>Nothing is changed once it is written. A commit is the creation of one small file, the entry,
 * under a name that nothing had: so of two writers of one version one is refused, looks again, and
 * finds either its own numbers there or others. The blob is written before. What no entry names is
 * nobody's, and goes once it is older than a grace time. The highest version of a slice counts. An
 * entry that is not whole, which only stores without atomic moves can leave, was never committed.
 *
 * <p>A compacted entry names the versions of the slices that it is the sum of; in a window that has
 * all of them it stands for them, so that nothing counts twice.
 */
package org.tare.store.states;
