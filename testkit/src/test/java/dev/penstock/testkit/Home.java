package dev.penstock.testkit;

import java.nio.file.Path;

/// The project's own directory.
final class Home {
  static final Path DIRECTORY =
      Path.of(System.getProperty("penstock.home", "..")).toAbsolutePath().normalize();

  private Home() {}
}
