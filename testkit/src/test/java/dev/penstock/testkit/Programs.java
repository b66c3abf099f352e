package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/// Programs that are installed on this machine.
final class Programs {
  private static final List<Path> MORE_FOLDERS =
      List.of(Path.of("/usr/sbin"), Path.of("/sbin"), Path.of("/usr/local/sbin"));
  private static final Path POSTGRESQL = Path.of("/usr/lib/postgresql");

  /// What a program left behind.
  ///
  /// @param output its standard output and standard error
  record Result(int exitCode, String output) {}

  private Programs() {}

  /// The absolute path of a program. Without it the test is skipped, visibly; in CI it fails.
  static String require(String name) {
    Optional<String> found = find(name);
    if (found.isEmpty()) {
      String missing = name + ": not installed (expected: on PATH)";
      return Limits.isCi() ? fail(missing) : abort(missing);
    }
    return found.get();
  }

  /// The absolute path of a program, where it is installed.
  static Optional<String> find(String name) {
    return folders().stream()
        .map(folder -> folder.resolve(name))
        .filter(Files::isExecutable)
        .map(Path::toString)
        .findFirst();
  }

  /// Runs a program to its end, which must come within `limit` and with exit code 0.
  static String run(Duration limit, Path directory, List<String> command) {
    Result result = tryRun(limit, directory, command);
    assertThat(result.exitCode()).as("%s%n%s", String.join(" ", command), result.output()).isZero();
    return result.output();
  }

  /// Runs a program to its end, which must come within `limit`.
  static Result tryRun(Duration limit, Path directory, List<String> command) {
    try {
      Path output = Files.createTempFile("penstock-output", ".txt");
      try {
        Process process = start(directory, output, command);
        if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
          process.destroyForcibly();
          return fail(String.join(" ", command) + ": still runs after " + limit);
        }
        return new Result(
            process.exitValue(), Files.readString(output, StandardCharsets.ISO_8859_1));
      } finally {
        Files.delete(output);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /// Starts a program that goes on running, for a server.
  ///
  /// @param output where its standard output and standard error go
  static Process start(Path directory, Path output, List<String> command) {
    try {
      Process process =
          new ProcessBuilder(command)
              .directory(directory.toFile())
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      process.getOutputStream().close();
      return process;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Path> folders() {
    var folders = new ArrayList<Path>();
    for (String folder : System.getenv("PATH").split(":", -1)) {
      folders.add(Path.of(folder));
    }
    folders.addAll(MORE_FOLDERS);
    if (Files.isDirectory(POSTGRESQL)) {
      try (DirectoryStream<Path> versions = Files.newDirectoryStream(POSTGRESQL)) {
        var found = new ArrayList<Path>();
        versions.forEach(version -> found.add(version.resolve("bin")));
        found.sort(Comparator.reverseOrder());
        folders.addAll(found);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return folders;
  }
}
