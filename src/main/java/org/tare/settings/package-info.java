/**
 * Settings: names, types, defaults and meanings in one place, {@link org.tare.settings.Keys}. Help,
 * the dry run and the settings' page are made from it.
 *
 * <p>A value comes from the strongest source that says it: option, {@code --set}, job file, {@code
 * spark.tare.*}, default. It is checked when it is read: an unknown key, a value of another type
 * and a key without a value are errors that name the key and where it was said. {@code
 * RunSettings}, {@code QuantizeSettings} and {@code ObserveSettings} turn settings into the typed
 * options of {@code org.tare.job}.
 *
 * <p>May use Jackson with YAML, and the packages whose options it makes.
 */
package org.tare.settings;
