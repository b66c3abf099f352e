package dev.penstock.gateway.cluster;

/// The release that this process is.
public final class BuildVersion {
  private BuildVersion() {}

  /// From the jar; `0` when run from classes that are in none.
  public static String text() {
    String version = BuildVersion.class.getPackage().getImplementationVersion();
    return version == null ? "0" : version;
  }
}
