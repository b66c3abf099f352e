package dev.penstock.testkit.cluster;

import dev.penstock.testkit.Ports;
import dev.penstock.testkit.bench.process.Children;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.h2.tools.Server;

/// The database of a local cluster: PostgreSQL where it is installed, else H2 as a server in this
/// process. Its files stay where they are.
///
/// @param url for `store.url`
/// @param user for `store.user`
/// @param what for people
public record LocalDatabase(String url, String user, String what, Runnable end)
    implements AutoCloseable {
  private static final int INIT_SECONDS = 60;
  private static final String UNPRIVILEGED = "nobody";

  /// Starts PostgreSQL when `initdb` is found, else H2.
  ///
  /// @param directory made when it is not there
  public static LocalDatabase start(Path directory) throws IOException, InterruptedException {
    Files.createDirectories(directory);
    Optional<Path> binaries = postgres();
    return binaries.isPresent() ? postgres(binaries.get(), directory) : h2(directory);
  }

  private static LocalDatabase h2(Path directory) throws IOException {
    try {
      var server =
          Server.createTcpServer(
                  "-tcpPort",
                  Integer.toString(Ports.free()),
                  "-baseDir",
                  directory.toString(),
                  "-ifNotExists")
              .start();
      return new LocalDatabase(
          "jdbc:h2:tcp://127.0.0.1:" + server.getPort() + "/./penstock",
          "penstock",
          "H2, in this process",
          server::stop);
    } catch (SQLException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  private static LocalDatabase postgres(Path binaries, Path directory)
      throws IOException, InterruptedException {
    Path data = directory.resolve("postgres");
    int port = Ports.free();
    var children = new Children();
    var as = new ArrayList<String>();
    if ("root".equals(System.getProperty("user.name"))) {
      // PostgreSQL refuses to run as root.
      run(List.of("chown", UNPRIVILEGED, directory.toString()));
      as.addAll(List.of("setpriv", "--reuid=" + UNPRIVILEGED, "--regid=nogroup", "--clear-groups"));
    }
    if (!Files.exists(data.resolve("PG_VERSION"))) {
      run(
          with(
              as,
              binaries.resolve("initdb").toString(),
              "-D",
              data.toString(),
              "-U",
              "penstock",
              "-A",
              "trust",
              "-E",
              "UTF8",
              "--locale=C"));
    }
    var server =
        new ProcessBuilder(
                with(
                    as,
                    binaries.resolve("postgres").toString(),
                    "-D",
                    data.toString(),
                    "-p",
                    Integer.toString(port),
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-c",
                    "unix_socket_directories="))
            .redirectErrorStream(true)
            .redirectOutput(new File(directory.toFile(), "postgres.log"));
    children.start(server);
    return new LocalDatabase(
        "jdbc:postgresql://127.0.0.1:" + port + "/postgres",
        "penstock",
        "PostgreSQL at 127.0.0.1:" + port,
        children::close);
  }

  /// The directory of PostgreSQL's programs: on the path, or where Debian puts them.
  private static Optional<Path> postgres() throws IOException {
    for (String folder : System.getenv().getOrDefault("PATH", "").split(File.pathSeparator, -1)) {
      if (Files.isExecutable(Path.of(folder, "initdb"))) {
        return Optional.of(Path.of(folder));
      }
    }
    Path debian = Path.of("/usr/lib/postgresql");
    if (!Files.isDirectory(debian)) {
      return Optional.empty();
    }
    try (Stream<Path> versions = Files.list(debian)) {
      return versions
          .map(version -> version.resolve("bin"))
          .filter(bin -> Files.isExecutable(bin.resolve("initdb")))
          .sorted()
          .reduce((_, later) -> later);
    }
  }

  private static void run(List<String> command) throws IOException, InterruptedException {
    var process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    if (!process.waitFor(INIT_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
      process.destroyForcibly();
      throw new IOException(command + ": failed (expected: exit code 0)");
    }
  }

  private static List<String> with(List<String> before, String... command) {
    return Stream.concat(before.stream(), Stream.of(command)).toList();
  }

  @Override
  public void close() {
    end.run();
  }
}
