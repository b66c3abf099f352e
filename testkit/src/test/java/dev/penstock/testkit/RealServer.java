package dev.penstock.testkit;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// A real server program with a configuration of its own, on a free loopback port, in a folder that
/// goes when it ends.
final class RealServer implements AutoCloseable {
  private static final Duration START = Duration.ofSeconds(30);
  private static final Duration SETUP = Duration.ofMinutes(2);
  private static final int LINES_IN_REPORT = 40;
  private static final String UNPRIVILEGED = "nobody";

  private final Path directory;
  private final int port;
  private List<String> command = List.of();
  private Process process;

  private RealServer(String name) {
    try {
      directory = Files.createTempDirectory("penstock-" + name + "-");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    port = Ports.free();
  }

  /// PostgreSQL with an empty database `postgres` and a user of that name without a password. It
  /// refuses to run as root, so root runs it as another user.
  static RealServer postgres() {
    String initdb = Programs.require("initdb");
    String postgres = Programs.require("postgres");
    var server = new RealServer("postgres");
    var as = new ArrayList<String>();
    if (isRoot()) {
      Programs.run(
          SETUP, server.directory, List.of("chown", UNPRIVILEGED, server.directory.toString()));
      as.addAll(
          List.of(
              Programs.require("setpriv"),
              "--reuid=" + UNPRIVILEGED,
              "--regid=nogroup",
              "--clear-groups"));
    }
    String data = server.directory.resolve("data").toString();
    Programs.run(
        SETUP,
        server.directory,
        with(
            as,
            initdb,
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
            "--locale=C"));
    server.start(
        with(
            as,
            postgres,
            "-D",
            data,
            "-p",
            Integer.toString(server.port),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-c",
            "fsync=off"));
    // It listens before it takes anybody.
    String url = "jdbc:postgresql://" + server.address() + "/postgres?user=postgres";
    await("postgres takes users")
        .atMost(START)
        .pollInterval(Duration.ofMillis(20))
        .ignoreException(SQLException.class)
        .until(() -> {
          try (var connection = DriverManager.getConnection(url)) {
            return connection.isValid(0);
          }
        });
    return server;
  }

  /// Redis that keeps nothing.
  static RealServer redis() {
    String program = Programs.require("redis-server");
    var server = new RealServer("redis");
    return server.start(
        List.of(
            program,
            "--bind",
            "127.0.0.1",
            "--port",
            Integer.toString(server.port),
            "--save",
            "",
            "--appendonly",
            "no"));
  }

  /// An SSH server that lets this user in with the key `client` in its folder.
  static RealServer ssh() {
    String program = Programs.require("sshd");
    String keygen = Programs.require("ssh-keygen");
    var server = new RealServer("ssh");
    for (String key : List.of("host", "client")) {
      Programs.run(
          SETUP,
          server.directory,
          List.of(keygen, "-q", "-t", "ed25519", "-N", "", "-f", server.file(key).toString()));
    }
    if (isRoot()) {
      Programs.run(SETUP, server.directory, List.of("mkdir", "-p", "/run/sshd"));
    }
    server.write(
        "sshd_config",
        """
        ListenAddress 127.0.0.1
        Port %d
        HostKey %s
        AuthorizedKeysFile %s
        PidFile none
        UsePAM no
        StrictModes no
        PermitRootLogin yes
        Subsystem sftp internal-sftp
        """
            .formatted(server.port, server.file("host"), server.file("client.pub")));
    return server.start(List.of(program, "-D", "-e", "-f", server.file("sshd_config").toString()));
  }

  /// A DNS server, over UDP and TCP, that knows `penstock.test` and nothing else.
  static RealServer dns() {
    String program = Programs.require("dnsmasq");
    var server = new RealServer("dns");
    return server.start(
        List.of(
            program,
            "--keep-in-foreground",
            "--log-facility=-",
            "--conf-file=/dev/null",
            "--pid-file=" + server.file("dnsmasq.pid"),
            "--user=" + System.getProperty("user.name"),
            "--no-resolv",
            "--no-hosts",
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
            "--port=" + server.port,
            "--host-record=penstock.test,192.0.2.7,2001:db8::7",
            "--txt-record=text.penstock.test,carried as one"));
  }

  /// A web server for the files in its folder.
  static RealServer nginx() {
    return nginx("", "");
  }

  /// A web server that wants a header of the PROXY protocol and answers with what it said: the
  /// client's address, then the port that it connected to.
  static RealServer nginxBehindProxies() {
    return nginx(
        "proxy_protocol",
        "location / { return 200 \"$proxy_protocol_addr $proxy_protocol_server_port\"; }");
  }

  private static RealServer nginx(String listen, String body) {
    String program = Programs.require("nginx");
    var server = new RealServer("nginx");
    server.write(
        "nginx.conf",
        """
        daemon off;
        master_process off;
        pid %1$s/nginx.pid;
        error_log stderr;
        events {}
        http {
          access_log off;
          client_body_temp_path %1$s/body;
          proxy_temp_path %1$s/proxy;
          fastcgi_temp_path %1$s/fastcgi;
          uwsgi_temp_path %1$s/uwsgi;
          scgi_temp_path %1$s/scgi;
          server {
            listen 127.0.0.1:%2$d %3$s;
            root %1$s;
            %4$s
          }
        }
        """
            .formatted(server.directory, server.port, listen, body));
    return server.start(
        List.of(
            program,
            "-p",
            server.directory.toString(),
            "-c",
            server.file("nginx.conf").toString()));
  }

  /// A proxy in front of a port of this machine that says for whom it connects.
  ///
  /// @param source the address that it connects from
  /// @param header `send-proxy` or `send-proxy-v2`
  static RealServer haproxy(int port, String source, String header) {
    String program = Programs.require("haproxy");
    var server = new RealServer("haproxy");
    server.write(
        "haproxy.cfg",
        """
        defaults
          mode tcp
          timeout connect 10s
          timeout client 60s
          timeout server 60s
        listen front
          bind 127.0.0.1:%d
          source %s
          server gateway 127.0.0.1:%d %s
        """
            .formatted(server.port, source, port, header));
    return server.start(List.of(program, "-db", "-f", server.file("haproxy.cfg").toString()));
  }

  /// A load balancer over the nodes of a cluster for one service, which goes by `/readyz` and
  /// leaves connections alone when a node is no longer ready.
  static RealServer balancer(ClusterLab lab, String service) {
    String program = Programs.require("haproxy");
    var server = new RealServer("balancer");
    var nodes = new StringBuilder();
    for (int node = 0; node < lab.size(); node++) {
      var at = lab.publicAddress(node, service);
      var management = lab.managementAddress(node);
      nodes.append(
          "  server node%d %s:%d check addr %s port %d inter 500ms fall 1 rise 1%n"
              .formatted(
                  node,
                  at.getAddress().getHostAddress(),
                  at.getPort(),
                  management.getAddress().getHostAddress(),
                  management.getPort()));
    }
    server.write(
        "haproxy.cfg",
        """
        defaults
          mode tcp
          timeout connect 5s
          timeout client 60s
          timeout server 60s
          timeout check 5s
          option redispatch
        listen front
          bind 127.0.0.1:%d
          balance roundrobin
          option httpchk GET /readyz
        %s
        """
            .formatted(server.port, nodes));
    return server.start(List.of(program, "-db", "-f", server.file("haproxy.cfg").toString()));
  }

  String address() {
    return "127.0.0.1:" + port;
  }

  int port() {
    return port;
  }

  /// Its folder.
  Path directory() {
    return directory;
  }

  /// A file in its folder.
  Path file(String name) {
    return directory.resolve(name);
  }

  @Override
  public void close() {
    if (process != null) {
      stop(process);
    }
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException | UncheckedIOException e) {
      // A child of the server may still write; the system's own cleaning takes the rest.
    }
  }

  /// The end of what it wrote, for the message of a failed test.
  String report() {
    try {
      var lines = Files.readAllLines(file("server.log"));
      return String.join(
              "\n", lines.subList(Math.max(0, lines.size() - LINES_IN_REPORT), lines.size()))
          + (process.isAlive() ? "\n(it runs)" : "\n(it ended with " + process.exitValue() + ")");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Ends the program, its files stay.
  void stop() {
    stop(process);
  }

  /// Ends the program as it stands, without a last write: PostgreSQL has to recover afterwards.
  void abort() {
    signal("QUIT", List.of(process.toHandle()));
    try {
      if (!process.waitFor(5, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Stops the program and its children in the middle of what they do, until [#resume].
  void pause() {
    signal("STOP", List.of(process.toHandle()));
    // The parent starts no more of them now.
    signal("STOP", process.descendants().toList());
  }

  /// Has them go on.
  void resume() {
    signal("CONT", process.descendants().toList());
    signal("CONT", List.of(process.toHandle()));
  }

  private static void signal(String name, List<ProcessHandle> processes) {
    var command = new ArrayList<>(List.of("kill", "-" + name));
    processes.forEach(each -> command.add(Long.toString(each.pid())));
    try {
      if (!processes.isEmpty()) {
        // Children may have ended meanwhile.
        new ProcessBuilder(command).redirectErrorStream(true).start().waitFor();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Starts the program again after [#stop] or [#abort].
  void startAgain() {
    start(command);
  }

  private RealServer start(List<String> command) {
    this.command = command;
    Path log = file("server.log");
    process = Programs.start(directory, log, command);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> endAll(process)));
    await(command.getFirst() + " listens")
        .atMost(START)
        .pollInterval(Duration.ofMillis(20))
        .failFast(
            "it ended instead",
            () -> {
              if (!process.isAlive()) {
                throw new AssertionError(Files.readString(log));
              }
            })
        .until(this::listens);
    return this;
  }

  /// With its children, which may be paused and would stay so.
  private static void endAll(Process process) {
    var children = process.descendants().toList();
    process.destroyForcibly();
    children.forEach(ProcessHandle::destroyForcibly);
  }

  private boolean listens() {
    try (var probe = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return probe.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  private void write(String name, String text) {
    try {
      Files.writeString(file(name), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// SIGINT ends all four at once and in order; PostgreSQL waits for its clients on SIGTERM.
  private static void stop(Process process) {
    try {
      new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
      if (!process.waitFor(5, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (IOException e) {
      process.destroyForcibly();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static boolean isRoot() {
    return "root".equals(System.getProperty("user.name"));
  }

  private static List<String> with(List<String> before, String... command) {
    var all = new ArrayList<>(before);
    all.addAll(List.of(command));
    return all;
  }
}
