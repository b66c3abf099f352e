package dev.penstock.node;

import java.io.IOException;
import java.net.URL;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;

/// Loads what its parent loads, but hides the default settings of the libraries that only members
/// of a cluster use: they are most of all settings, and a node alone would read, merge and check
/// them at every start.
final class LocalLibraries extends ClassLoader {
  private static final String DEFAULTS = "reference.conf";

  /// Parts of the names of jars.
  private static final List<String> OF_CLUSTERS =
      List.of(
          "pekko-cluster",
          "pekko-coordination",
          "pekko-distributed-data",
          "pekko-persistence",
          "pekko-remote",
          "pekko-serialization-jackson",
          "/slick");

  LocalLibraries(ClassLoader parent) {
    super(parent);
  }

  @Override
  public Enumeration<URL> getResources(String name) throws IOException {
    Enumeration<URL> all = super.getResources(name);
    return DEFAULTS.equals(name)
        ? Collections.enumeration(
            Collections.list(all).stream().filter(LocalLibraries::isForAll).toList())
        : all;
  }

  private static boolean isForAll(URL defaults) {
    return OF_CLUSTERS.stream().noneMatch(defaults.toString()::contains);
  }
}
