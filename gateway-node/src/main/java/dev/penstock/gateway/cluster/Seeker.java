package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Looks for the cluster, on a virtual thread of its own, until it is closed.
final class Seeker implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Seeker.class);
  private static final Duration PERIOD = Duration.ofSeconds(1);
  private static final Duration STABLE = Duration.ofSeconds(3);
  private static final int CONNECT_MILLIS = 1_000;

  private final Lookup lookup;
  private final Formation formation;
  private final HostPort self;
  private final Consumer<List<HostPort>> ask;
  private volatile String state = "nothing looked up yet";
  private volatile boolean mayFound;
  private final CountDownLatch over = new CountDownLatch(1);
  private final Thread thread;

  /// @param self this node's address as it is looked up
  /// @param ask is given whom to ask from now on
  Seeker(Lookup lookup, HostPort self, int minNodes, Consumer<List<HostPort>> ask) {
    this.lookup = lookup;
    this.self = self;
    this.ask = ask;
    this.formation = new Formation(self, minNodes, STABLE);
    this.thread = Thread.ofVirtual().name("seeker").unstarted(this::run);
  }

  Seeker start() {
    thread.start();
    return this;
  }

  /// Whether the database lets this node form a cluster from now on; not before it is told.
  void mayFound(boolean may) {
    mayFound = may;
  }

  /// How it stands, for people.
  String state() {
    return state;
  }

  private void run() {
    String logged = "";
    try {
      do {
        try {
          Set<HostPort> found = lookup.nodes();
          state = "found " + found.stream().sorted(Formation.ORDER).toList();
          Optional<List<HostPort>> seeds =
              formation.found(found, accepting(found), mayFound, System.nanoTime());
          seeds.ifPresent(ask);
        } catch (IOException | RuntimeException e) {
          state = String.valueOf(e.getMessage());
        }
        if (!state.equals(logged)) {
          logged = state;
          log.atInfo().addKeyValue("result", state).log("Nodes of the cluster were looked up");
        }
      } while (!over.await(PERIOD.toMillis(), TimeUnit.MILLISECONDS));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Set<HostPort> accepting(Set<HostPort> found) {
    Set<HostPort> accepting = ConcurrentHashMap.newKeySet();
    var others = new HashSet<>(found);
    others.remove(self);
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (HostPort node : others) {
        threads.execute(() -> {
          try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(node.host(), node.port()), CONNECT_MILLIS);
            accepting.add(node);
          } catch (IOException refused) {
            // Then it is not among those that accept.
          }
        });
      }
    }
    return accepting;
  }

  @Override
  public void close() {
    over.countDown();
    thread.interrupt();
  }
}
