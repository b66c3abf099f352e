package dev.penstock.testkit.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.testkit.bench.Plan.Lifetime;
import dev.penstock.testkit.bench.peer.Peer;
import dev.penstock.testkit.bench.peer.Peers;
import dev.penstock.testkit.bench.peer.Site;
import dev.penstock.testkit.bench.peer.Tool;
import dev.penstock.testkit.bench.peer.WarmUp;
import dev.penstock.testkit.bench.process.Children;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class BenchTest {
  private static final Path NOWHERE = Path.of("nowhere", "penstock");

  @TempDir Path directory;

  @Test
  void aQuickRunMeasuresWhatIsInstalledAndNamesWhatIsMissing() throws IOException {
    var peers = new ArrayList<Peer>(List.of(new Forwarder()));
    for (var peer : Peers.all(NOWHERE)) {
      if (List.of("direct", "penstock", Peers.BASE).contains(peer.name())) {
        peers.add(peer);
      }
    }
    var plan = Plan.quick(List.of(Measure.values()), 1, Duration.ofMillis(100), Lifetime.WHOLE_RUN);
    Report report;
    try (var children = new Children()) {
      report = new Bench(plan, peers, children, silence()).run();
    }

    assertThat(report.failures()).isEmpty();
    for (var name : List.of("direct", "forwarder")) {
      assertThat(report.summary(name, Metric.UP_8).orElseThrow().median()).isPositive();
      assertThat(report.summary(name, Metric.DOWN_100).orElseThrow().median()).isPositive();
      assertThat(report.summary(name, Metric.PING_P99).orElseThrow().median()).isPositive();
      assertThat(report.summary(name, Metric.RATE_50).orElseThrow().median()).isPositive();
      assertThat(report.summary(name, Metric.CONNECTIONS_64).orElseThrow().median()).isPositive();
      assertThat(report.summary(name, Metric.BUSY_STALLED_P99).orElseThrow().median()).isPositive();
    }
    assertThat(report.markdown())
        .contains("missing: " + NOWHERE.toAbsolutePath())
        .contains("### " + Measure.PING.title());

    var json = directory.resolve("report.json");
    report.writeJson(json);
    var tree = new ObjectMapper().readTree(json.toFile());
    assertThat(tree.at("/environment/cores").asInt()).isPositive();
    assertThat(tree.at("/summaries/direct/PING_P50/median").asDouble()).isPositive();
  }

  @Test
  void aPeerThatDoesNotEchoIsMarkedAndLeftOut() throws IOException {
    var plan = Plan.quick(List.of(Measure.PING), 1, Duration.ofMillis(100), Lifetime.ONE_MEASURE);
    Report report;
    try (var children = new Children()) {
      report = new Bench(plan, List.of(new Broken()), children, silence()).run();
    }

    assertThat(report.failures())
        .singleElement()
        .extracting(Report.Failure::reason)
        .isEqualTo("broken does not work: no route");
    assertThat(report.markdown()).contains("| failed |");
  }

  @Test
  void unknownNamesAreRefusedWithTheKnownOnes() {
    assertThat(run("--peers", "direct,nginx"))
        .contains("--peers: nginx (expected: some of direct, penstock, haproxy-2x,");
    assertThat(run("--measures", "speed"))
        .contains("--measures: measure: speed (expected: one of [up, down, ping,");
    assertThat(run("--rounds", "0")).contains("--rounds: 0 (expected: 1 to 100)");
  }

  private static String run(String... arguments) {
    var errors = new StringWriter();
    int code = new CommandLine(new BenchMain()).setErr(new PrintWriter(errors)).execute(arguments);
    assertThat(code).as(Arrays.toString(arguments)).isEqualTo(CommandLine.ExitCode.USAGE);
    return errors.toString();
  }

  private static PrintStream silence() {
    return new PrintStream(OutputStream.nullOutputStream());
  }

  /// A peer without processes.
  private abstract static class Inside implements Peer {
    @Override
    public List<Tool> tools() {
      return List.of();
    }

    @Override
    public int socketsPerVisitor() {
      return 2;
    }

    @Override
    public WarmUp warmUp() {
      return WarmUp.JIT;
    }

    @Override
    public String note() {
      return "inside the test";
    }
  }

  private static final class Broken extends Inside {
    @Override
    public String name() {
      return "broken";
    }

    @Override
    public int start(Site site) throws IOException {
      throw new IOException("no route");
    }
  }

  /// Copies between two sockets, two virtual threads for each visitor.
  private static final class Forwarder extends Inside {
    @Override
    public String name() {
      return "forwarder";
    }

    @Override
    public int start(Site site) throws IOException {
      var server = new ServerSocket(0, 1024, InetAddress.getLoopbackAddress());
      Thread.startVirtualThread(() -> accept(server, site.target()));
      return server.getLocalPort();
    }

    private static void accept(ServerSocket server, int target) {
      try {
        while (true) {
          var visitor = server.accept();
          var inner = new Socket(InetAddress.getLoopbackAddress(), target);
          visitor.setTcpNoDelay(true);
          inner.setTcpNoDelay(true);
          Thread.startVirtualThread(() -> copy(visitor, inner));
          Thread.startVirtualThread(() -> copy(inner, visitor));
        }
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }

    private static void copy(Socket from, Socket to) {
      try (from;
          to) {
        from.getInputStream().transferTo(to.getOutputStream());
      } catch (IOException _) {
        // One end is gone, and so is the other now.
      }
    }
  }
}
