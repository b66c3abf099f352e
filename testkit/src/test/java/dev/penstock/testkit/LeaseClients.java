package dev.penstock.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.testkit.leases.LeaseHistory;
import dev.penstock.testkit.leases.LeaseHistory.Lease;
import dev.penstock.testkit.leases.LeaseHistory.Tunnel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/// Clients of several tenants that register and release the same few tunnels at the same time, by
/// the REST API of any node, and write down what they were told. Tunnels have names of their epoch:
/// a release of an earlier one whose outcome nobody knows excuses nothing in a later one. Some
/// tunnels of each epoch are never released.
final class LeaseClients {
  /// The public ports that all of them want: the end of one block and the beginning of the next.
  static final String PORTS = "12220-12360";

  private static final List<String> TENANTS = List.of("red", "green", "blue");
  private static final int CLIENTS = 6;
  private static final int KEPT = 6;
  private static final int CHANGING = 14;

  /// Fewer ports are wanted than there are tunnels.
  private static final int WANTED = 10;

  private static final Duration TIMEOUT = Duration.ofSeconds(4);
  private static final long PAUSE_MILLIS = 50;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final ClusterLab lab;
  private final LeaseHistory history;
  private final HttpClient http =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(1))
          .build();
  private final List<Thread> running = new ArrayList<>();
  private final ConcurrentLinkedQueue<String> complaints = new ConcurrentLinkedQueue<>();
  private CountDownLatch ended = new CountDownLatch(1);

  LeaseClients(ClusterLab lab, LeaseHistory history) {
    this.lab = lab;
    this.history = history;
  }

  /// Makes the tenants known to a lab that does not run yet.
  static ClusterLab tenants(ClusterLab lab) {
    TENANTS.forEach(tenant -> lab.withTenant(tenant, token(tenant)));
    return lab.withPublicPorts(PORTS);
  }

  private static String token(String tenant) {
    return "token-of-" + tenant;
  }

  /// Answers that no gateway should give.
  List<String> complaints() {
    return List.copyOf(complaints);
  }

  /// Has all clients call until [#stop], about the tunnels of an epoch.
  void start(int epoch, long seed) {
    ended = new CountDownLatch(1);
    for (int i = 0; i < CLIENTS; i++) {
      var random = new SplittableRandom(seed + 1_000L * epoch + i);
      running.add(Thread.ofVirtual().start(() -> call(epoch, random, ended)));
    }
    running.add(Thread.ofVirtual().start(() -> look(ended)));
  }

  /// Returns when no call is under way.
  void stop() throws InterruptedException {
    ended.countDown();
    for (Thread thread : running) {
      thread.join();
    }
    running.clear();
  }

  private void call(int epoch, SplittableRandom random, CountDownLatch ended) {
    boolean answered = true;
    try {
      while (!ended.await(answered ? 1 : PAUSE_MILLIS, TimeUnit.MILLISECONDS)) {
        String tenant = TENANTS.get(random.nextInt(TENANTS.size()));
        String transport = random.nextInt(4) == 0 ? "udp" : "tcp";
        int node = random.nextInt(lab.size());
        int number = random.nextInt(KEPT + CHANGING);
        var tunnel =
            new Tunnel(
                tenant,
                transport
                    + "-"
                    + (number < KEPT ? "kept" : "changing")
                    + "-"
                    + number
                    + "-"
                    + epoch);
        boolean releases = number >= KEPT && random.nextInt(5) < 2;
        answered =
            releases ? release(node, tunnel) : register(node, tunnel, number, random.nextInt(3));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Looks at the tables of the nodes in turn.
  private void look(CountDownLatch ended) {
    try {
      for (int node = 0; !ended.await(4 * PAUSE_MILLIS, TimeUnit.MILLISECONDS); node++) {
        table(node % lab.size())
            .ifPresent(
                table -> table.forEach((tunnel, held) -> history.seen(tunnel, held.lease())));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Registers a tunnel through a node; whether the answer says that it is.
  private boolean register(int node, Tunnel tunnel, int number, int service) {
    var body = JSON.createObjectNode();
    String transport = tunnel.id().substring(0, 3);
    body.put("protocol", transport);
    body.put("tunnel_id", tunnel.id());
    body.put("gateway_port", 2_280 + number % WANTED);
    body.put("service_name", "service");
    body.put("service_namespace", "faults");
    body.put("service_port", 1_000 + service);
    body.put("routing_mode", "tunnel");
    if (number % 4 == 1) {
      body.put("tunnel_port", 12_283 + number % WANTED);
    }
    long began = System.nanoTime();
    var answer =
        send(node, tunnel.cluster(), "", it -> it.POST(BodyPublishers.ofString(body.toString())));
    if (answer.isEmpty()) {
      return false;
    }
    int status = answer.get().statusCode();
    if (status == 200) {
      JsonNode told = json(answer.get());
      history.granted(tunnel, lease(transport, told), began, System.nanoTime());
      if (!told.path("listening").asBoolean()) {
        complaints.add(tunnel + ": told as registered, but nothing listens: " + told);
      }
      return true;
    }
    return isExpected(answer.get()) && status == 409;
  }

  /// Releases a tunnel through a node; whether the answer says that it is.
  boolean release(int node, Tunnel tunnel) {
    long began = System.nanoTime();
    var answer = send(node, tunnel.cluster(), "/" + tunnel.id(), HttpRequest.Builder::DELETE);
    if (answer.isPresent() && answer.get().statusCode() == 204) {
      history.released(tunnel, began, System.nanoTime());
      return true;
    }
    history.releaseUnknown(tunnel, began);
    answer.ifPresent(this::isExpected);
    return false;
  }

  private boolean isExpected(HttpResponse<String> answer) {
    if (answer.statusCode() != 409 && answer.statusCode() != 503) {
      complaints.add(answer.request().uri() + ": " + answer.statusCode() + " " + answer.body());
      return false;
    }
    return true;
  }

  /// A tunnel in a node's table.
  record Held(Lease lease, boolean listening) {}

  /// What a node has in its table; empty when it does not answer.
  Optional<Map<Tunnel, Held>> table(int node) {
    var table = new HashMap<Tunnel, Held>();
    for (String tenant : TENANTS) {
      var answer = send(node, tenant, "", HttpRequest.Builder::GET);
      if (answer.isEmpty() || answer.get().statusCode() != 200) {
        return Optional.empty();
      }
      for (JsonNode told : json(answer.get())) {
        table.put(
            new Tunnel(tenant, told.path("tunnel_id").asText()),
            new Held(
                lease(told.path("protocol").asText(), told), told.path("listening").asBoolean()));
      }
    }
    return Optional.of(table);
  }

  /// Whether a client reaches a public port of a node.
  boolean isOpen(int node, Lease lease) {
    var address = new InetSocketAddress(lab.listenAddress(node).getAddress(), lease.port());
    return lease.transport().equals("tcp") ? accepts(address) : isBound(address);
  }

  private static boolean accepts(InetSocketAddress address) {
    try (var socket = new Socket()) {
      socket.connect(address, (int) TIMEOUT.toMillis());
      return true;
    } catch (ConnectException | SocketTimeoutException refused) {
      return false;
    } catch (IOException reset) {
      // No agent is there, so the gateway resets whom it has accepted, perhaps before that is seen.
      return true;
    }
  }

  /// The system answers a datagram to a port that nobody has bound with a message that it is not
  /// there, at once.
  private static boolean isBound(InetSocketAddress address) {
    try (var socket = new DatagramSocket()) {
      socket.connect(address);
      socket.setSoTimeout(20);
      socket.send(new DatagramPacket(new byte[] {'?'}, 1));
      socket.receive(new DatagramPacket(new byte[1], 1));
      return true;
    } catch (SocketTimeoutException silent) {
      return true;
    } catch (PortUnreachableException e) {
      return false;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Lease lease(String transport, JsonNode told) {
    return new Lease(
        transport, told.path("tunnel_port").intValue(), told.path("tunnel_fencing").longValue());
  }

  private static JsonNode json(HttpResponse<String> answer) {
    try {
      return JSON.readTree(answer.body());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Empty when there is no answer in time.
  private Optional<HttpResponse<String>> send(
      int node, String tenant, String below, UnaryOperator<HttpRequest.Builder> method) {
    var address = lab.listenAddress(node);
    var request =
        HttpRequest.newBuilder(
                URI.create(
                    "http://%s:%d/api/v1/clusters/agent/%s/tunnels%s"
                        .formatted(
                            address.getAddress().getHostAddress(),
                            address.getPort(),
                            tenant,
                            below)))
            .header("Authorization", "Bearer " + token(tenant))
            .timeout(TIMEOUT);
    try {
      return Optional.of(http.send(method.apply(request).build(), BodyHandlers.ofString()));
    } catch (IOException e) {
      return Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }
}
