package dev.penstock.testkit.bench.peer;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// A program that a peer needs.
///
/// @param name the program's file name, or its path
/// @param install how to get it
/// @param versionFlag the argument that makes it print its version
public record Tool(String name, String install, String versionFlag) {
  private static final Pattern VERSION = Pattern.compile("(^|[^:.\\d])\\d+\\.\\d");

  /// Where it is: on the `PATH`, in the usual places for servers, or where `go install` and `cargo
  /// install` put programs.
  public Optional<Path> find() {
    if (name.contains(File.separator)) {
      return Optional.of(Path.of(name).toAbsolutePath()).filter(Files::isExecutable);
    }
    String home = System.getProperty("user.home");
    return Stream.concat(
            Stream.of(
                Objects.requireNonNullElse(System.getenv("PATH"), "")
                    .split(File.pathSeparator, -1)),
            Stream.of("/usr/sbin", "/sbin", home + "/go/bin", home + "/.cargo/bin"))
        .map(directory -> Path.of(directory, name))
        .filter(Files::isExecutable)
        .findFirst();
  }

  /// Where it is.
  ///
  /// @throws IllegalStateException when it is not installed
  public String path() {
    return find()
        .orElseThrow(
            () -> new IllegalStateException(name + " is missing (expected: " + install + ")"))
        .toString();
  }

  /// What it prints as its version: the first line with a dotted number that is no time of day.
  public String version() {
    try {
      var process = new ProcessBuilder(path(), versionFlag).redirectErrorStream(true).start();
      process.getOutputStream().close();
      try (var output = process.inputReader()) {
        return output
            .lines()
            .filter(line -> VERSION.matcher(line).find())
            .findFirst()
            .orElse("unknown")
            .strip();
      }
    } catch (IOException e) {
      return "unknown: " + e.getMessage();
    }
  }
}
