package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The programs that people use reach the servers that people run, through a tunnel.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RealClientsSystemTest {
  private static final Duration LIMIT = Duration.ofMinutes(2);

  @TempDir Path directory;

  @Nested
  class PostgreSql {
    private static final long COPY_BYTES = 50_000_000;

    @Test
    void pgbenchRunsWithoutAFailure() {
      String pgbench = Programs.require("pgbench");
      try (RealServer server = RealServer.postgres();
          Lab lab = tunnel("postgres", server)) {
        String port = Integer.toString(lab.port("postgres"));
        var at = List.of("-h", "127.0.0.1", "-p", port, "-U", "postgres", "postgres");
        run(concat(List.of(pgbench, "-i", "-q", "-s", "1"), at));
        String report = run(concat(List.of(pgbench, "-c", "8", "-j", "2", "-T", "5"), at));
        System.out.println(report.lines().filter(line -> line.startsWith("tps")).findFirst());
        assertThat(report).contains("number of failed transactions: 0");
      }
    }

    @Test
    void aCopyOfFiftyMegabytesComesBackUnchanged() throws IOException {
      String psql = Programs.require("psql");
      Path sent = directory.resolve("sent.txt");
      Path received = directory.resolve("received.txt");
      writeLines(sent);
      try (RealServer server = RealServer.postgres();
          Lab lab = tunnel("postgres", server)) {
        run(
            List.of(
                psql,
                "-h",
                "127.0.0.1",
                "-p",
                Integer.toString(lab.port("postgres")),
                "-U",
                "postgres",
                "-d",
                "postgres",
                "-v",
                "ON_ERROR_STOP=1",
                "-c",
                "create table copied (n bigint, line text)",
                "-c",
                "\\copy copied from '" + sent + "'",
                "-c",
                "\\copy (select * from copied order by n) to '" + received + "'"));
      }
      assertThat(Files.size(sent)).isGreaterThanOrEqualTo(COPY_BYTES);
      assertThat(digest(received)).isEqualTo(digest(sent));
    }

    private void writeLines(Path file) throws IOException {
      var random = new SplittableRandom(31);
      try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
        long written = 0;
        for (long n = 0; written < COPY_BYTES; n++) {
          byte[] line =
              (n + "\t" + Long.toHexString(random.nextLong()).repeat(4) + "\n")
                  .getBytes(StandardCharsets.US_ASCII);
          out.write(line);
          written += line.length;
        }
      }
    }
  }

  @Nested
  class Redis {
    @Test
    void redisCliSetsAndGetsAValueOfAMegabyte() throws IOException {
      String cli = Programs.require("redis-cli");
      String value = "0123456789abcdef".repeat(65_536);
      Files.writeString(directory.resolve("value"), value);
      try (RealServer server = RealServer.redis();
          Lab lab = tunnel("redis", server)) {
        String at = cli + " -h 127.0.0.1 -p " + lab.port("redis");
        assertThat(run(List.of("sh", "-c", at + " PING"))).isEqualTo("PONG\n");
        assertThat(run(List.of("sh", "-c", at + " -x SET key < value"))).isEqualTo("OK\n");
        assertThat(run(List.of("sh", "-c", at + " GET key"))).isEqualTo(value + "\n");
      }
    }

    @Test
    void redisBenchmarkEndsWithoutAFailure() {
      String benchmark = Programs.require("redis-benchmark");
      try (RealServer server = RealServer.redis();
          Lab lab = tunnel("redis", server)) {
        var at =
            List.of(
                benchmark,
                "-h",
                "127.0.0.1",
                "-p",
                Integer.toString(lab.port("redis")),
                "--csv",
                "-t",
                "set,get",
                "-c",
                "50");
        System.out.print(run(concat(at, List.of("-n", "20000"))));
        System.out.print(run(concat(at, List.of("-n", "200000", "-P", "16"))));
      }
    }
  }

  @Nested
  class OpenSsh {
    private static final Payload FILE = new Payload(32, 1L << 30);

    @Test
    void aCommandRunsAndItsOutputAndExitCodeComeBack() {
      Programs.require("ssh");
      try (RealServer server = RealServer.ssh();
          Lab lab = tunnel("ssh", server)) {
        var command =
            concat(
                List.of("ssh", "-p", Integer.toString(lab.port("ssh"))),
                concat(options(server), List.of("127.0.0.1", "echo there; exit 7")));
        Programs.Result result = Programs.tryRun(LIMIT, directory, command);
        assertThat(result.output()).endsWith("there\n");
        assertThat(result.exitCode()).isEqualTo(7);
      }
    }

    @Test
    void sftpCarriesAGibibyteEachWayUnchanged() throws IOException {
      Programs.require("sftp");
      Path sent = directory.resolve("sent");
      Path received = directory.resolve("received");
      try (OutputStream out = Files.newOutputStream(sent)) {
        FILE.write(out);
      }
      try (RealServer server = RealServer.ssh();
          Lab lab = tunnel("ssh", server)) {
        Path there = server.file("there");
        Path batch =
            Files.writeString(
                directory.resolve("batch"),
                "put " + sent + " " + there + "\nget " + there + " " + received + "\n");
        run(
            concat(
                List.of(
                    "sftp", "-q", "-b", batch.toString(), "-P", Integer.toString(lab.port("ssh"))),
                concat(options(server), List.of("127.0.0.1"))));
        assertThat(digest(there)).isEqualTo(FILE.digest());
      }
      assertThat(digest(received)).isEqualTo(FILE.digest());
    }

    private List<String> options(RealServer server) {
      return List.of(
          "-F",
          "/dev/null",
          "-i",
          server.file("client").toString(),
          "-o",
          "BatchMode=yes",
          "-o",
          "LogLevel=ERROR",
          "-o",
          "StrictHostKeyChecking=no",
          "-o",
          "UserKnownHostsFile=/dev/null");
    }
  }

  @Nested
  class Nginx {
    private static final Payload FILE = new Payload(33, 256L << 20);

    @Test
    void curlFetchesALargeFileUnchanged() throws IOException {
      String curl = Programs.require("curl");
      Path received = directory.resolve("received");
      try (RealServer server = RealServer.nginx();
          Lab lab = tunnel("web", server)) {
        try (OutputStream out = Files.newOutputStream(server.file("large"))) {
          FILE.write(out);
        }
        run(List.of(curl, "-fsS", "-o", received.toString(), url(lab) + "large"));
      }
      assertThat(digest(received)).isEqualTo(FILE.digest());
    }

    @Test
    void curlKeepsItsConnectionForManyRequests() throws IOException {
      String curl = Programs.require("curl");
      try (RealServer server = RealServer.nginx();
          Lab lab = tunnel("web", server)) {
        Files.writeString(server.file("small"), "small");
        String connects =
            run(
                List.of(
                    "sh",
                    "-c",
                    curl
                        + " -fsS -w '%{num_connects} '"
                        + (" -o /dev/null " + url(lab) + "small").repeat(20)));
        assertThat(connects).isEqualTo("1 " + "0 ".repeat(19));
      }
    }

    private String url(Lab lab) {
      return "http://127.0.0.1:" + lab.port("web") + "/";
    }
  }

  private Lab tunnel(String name, RealServer server) {
    return Lab.in(directory).expose(name, server.address()).start();
  }

  private String run(List<String> command) {
    return Programs.run(LIMIT, directory, command);
  }

  private static Payload.Digest digest(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return Payload.Digest.toEnd(in);
    }
  }

  private static List<String> concat(List<String> one, List<String> other) {
    return Stream.concat(one.stream(), other.stream()).toList();
  }
}
