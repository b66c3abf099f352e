package dev.penstock.testkit.swarm;

import dev.penstock.agent.Agent;
import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.Expose;
import dev.penstock.config.Outside;
import dev.penstock.node.NodeSystem;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.testkit.EchoService;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// Many real agents in this process, each with a token, a cluster and a tunnel of its own to one
/// service that echoes. Their public ports are learnt from their announcements.
public final class Swarm implements AutoCloseable {
  /// Clients that look at a time.
  private static final int LOOKERS = 16;

  private static final int CLIENT_TIMEOUT_MILLIS = 1_000;
  private static final Duration PAUSE = Duration.ofSeconds(1);

  private final NodeSystem node;
  private final EchoService echo;
  private final int agents;
  private final Map<Integer, Integer> ports = new ConcurrentHashMap<>();

  private Swarm(NodeSystem node, EchoService echo, int agents) {
    this.node = node;
    this.echo = echo;
    this.agents = agents;
  }

  /// The token of agent `number`.
  public static String token(int number) {
    return "swarm-token-" + number;
  }

  /// The cluster of agent `number`.
  public static String cluster(int number) {
    return "swarm-" + number;
  }

  /// Starts all of them; they link in the background.
  public static Swarm start(String gatewayUrl, int agents) {
    var node = NodeSystem.start("swarm", 0);
    var budget = new ByteBudget(256L * 1024 * 1024);
    var meters = new AgentMeters(new PrometheusRegistry(), budget);
    var swarm = new Swarm(node, EchoService.start(EchoService.Behaviour.echo()), agents);
    for (int i = 0; i < agents; i++) {
      int number = i;
      Agent.startGuest(
          AgentSettings.of(
              Map.of(),
              List.of(
                  new Outside("pipeops.api_url", "swarm", gatewayUrl),
                  new Outside("pipeops.token", "swarm", token(number)),
                  new Outside("agent.id", "swarm", "agent-" + number)),
              List.of(Expose.parse("echo=" + swarm.echo.address()))),
          node,
          budget,
          meters,
          new Agent.Announcements(line -> swarm.reachable(number, line), _ -> {}));
    }
    return swarm;
  }

  /// A line such as `echo tcp 127.0.0.1:20001 -> 127.0.0.1:4711`.
  private void reachable(int number, String line) {
    String endpoint = line.split(" +", 4)[2];
    ports.put(number, Integer.valueOf(endpoint.substring(endpoint.lastIndexOf(':') + 1)));
  }

  /// How many agents have ever been told where their service can be reached.
  public int announced() {
    return ports.size();
  }

  /// Returns once a byte has gone to every service and back.
  ///
  /// @throws TimeoutException not all did so in time
  public void awaitServing(Duration timeout) throws TimeoutException, InterruptedException {
    long end = System.nanoTime() + timeout.toNanos();
    while (ports.size() < agents) {
      if (System.nanoTime() - end > 0) {
        throw new TimeoutException(ports.size() + " of " + agents + " agents were announced");
      }
      TimeUnit.NANOSECONDS.sleep(PAUSE.toNanos());
    }
    var turns = new Semaphore(LOOKERS);
    try (var lookers = Executors.newVirtualThreadPerTaskExecutor()) {
      List<? extends Future<?>> all =
          ports.keySet().stream()
              .map(number -> lookers.submit(() -> look(number, turns, end)))
              .toList();
      for (Future<?> one : all) {
        one.get();
      }
    } catch (ExecutionException e) {
      throw new TimeoutException(String.valueOf(e.getMessage()));
    }
  }

  private Void look(int number, Semaphore turns, long end)
      throws InterruptedException, TimeoutException {
    while (true) {
      turns.acquire();
      int port = ports.getOrDefault(number, 0);
      try {
        if (echoes(port)) {
          return null;
        }
      } finally {
        turns.release();
      }
      if (System.nanoTime() - end > 0) {
        throw new TimeoutException("the service at port " + port + " did not answer");
      }
      TimeUnit.NANOSECONDS.sleep(PAUSE.toNanos());
    }
  }

  private static boolean echoes(int port) {
    try (var socket = new Socket()) {
      socket.connect(
          new InetSocketAddress(InetAddress.getLoopbackAddress(), port), CLIENT_TIMEOUT_MILLIS);
      socket.setSoTimeout(CLIENT_TIMEOUT_MILLIS);
      socket.getOutputStream().write('?');
      return socket.getInputStream().read() == '?';
    } catch (IOException _) {
      return false;
    }
  }

  @Override
  public void close() {
    node.close();
    echo.close();
  }
}
