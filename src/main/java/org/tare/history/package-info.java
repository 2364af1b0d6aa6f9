/**
 * What a call takes from earlier runs and leaves to later ones: the lineage of its states, the
 * slice of a state store that it fills or reads, the key by which the same run is known again, how
 * a candidate is held against the deployed output, and whom the end is told to. May use settings,
 * jobs, drift and the store.
 */
package org.tare.history;
