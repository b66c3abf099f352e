package dev.penstock.testkit.original;

import dev.penstock.testkit.original.OriginalJson.Envelope;
import dev.penstock.testkit.original.OriginalSettings.Trait;
import dev.penstock.testkit.original.OriginalSocket.Message;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// An original PipeOps agent, as a gateway sees it: registers on the controller socket, moves to
/// the gateway socket, answers `gateway_hello`, carries yamux streams and JSON tunnels, reconnects,
/// and has that agent's faults. Plain `ws` only. Any thread may call.
public final class OriginalAgent implements AutoCloseable {
  private static final Duration REGISTER_WAIT = Duration.ofSeconds(30);
  private static final Duration PING_INTERVAL = Duration.ofSeconds(10);
  private static final Duration MAX_BACKOFF = Duration.ofSeconds(60);
  private static final double JITTER = 0.25;

  /// Where the agent stands.
  public enum State {
    STARTING,
    /// The first connect failed: it runs for ever without trying again, and looks healthy.
    STANDALONE,
    CONNECTED,
    RECONNECTING,
    /// It was answered 401 or 403, or told that it is not registered: dead until it is restarted.
    STUCK,
    /// It was not registered in time, or could not move to the gateway socket.
    EXITED,
    /// A tunnel message met disabled tunnels.
    CRASHED,
    CLOSED
  }

  private final OriginalSettings settings;
  private final OriginalBackend backend;
  private final OriginalTunnels tunnels;
  private final ScheduledExecutorService timers =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("original-agent").factory());
  private final CountDownLatch over = new CountDownLatch(1);
  private final AtomicReference<State> state = new AtomicReference<>(State.STARTING);
  private final AtomicBoolean reconnecting = new AtomicBoolean();
  private final AtomicInteger connections = new AtomicInteger();
  private final AtomicInteger refusals = new AtomicInteger();
  private final AtomicInteger dropped = new AtomicInteger();
  private final Map<String, Integer> received = new ConcurrentHashMap<>();
  private final Set<String> reportedUnknown = ConcurrentHashMap.newKeySet();
  private final Set<OriginalSocket> left = ConcurrentHashMap.newKeySet();
  private final String requestId;
  private volatile URI url;
  private volatile String clusterId = "";
  private volatile boolean onGateway;
  private volatile @Nullable OriginalSocket socket;
  private volatile @Nullable OriginalYamux yamux;

  private OriginalAgent(OriginalSettings settings) {
    this.settings = settings;
    this.backend = new OriginalBackend(settings.services());
    this.tunnels = new OriginalTunnels(this::send);
    this.requestId = "req_" + System.nanoTime() + "_" + settings.agentId();
    this.url = controllerUrl(settings.api());
  }

  /// Starts an agent; what becomes of it shows in [#state].
  public static OriginalAgent start(OriginalSettings settings) {
    var agent = new OriginalAgent(settings);
    Thread.ofVirtual().start(agent::begin);
    return agent;
  }

  // --- what a test may look at ---

  public State state() {
    return state.get();
  }

  /// The identity that the gateway gave; empty before.
  public String clusterId() {
    return clusterId;
  }

  /// Whether it has moved to the gateway socket.
  public boolean isOnGateway() {
    return onGateway;
  }

  /// Whether a yamux session runs.
  public boolean hasSession() {
    OriginalYamux session = yamux;
    return session != null && session.death().isEmpty();
  }

  /// Why the last session died; empty while it lives or when there is none.
  public Optional<String> sessionDeath() {
    OriginalYamux session = yamux;
    return session == null ? Optional.empty() : session.death();
  }

  /// Streams that are open now.
  public int openStreams() {
    OriginalYamux session = yamux;
    return session == null ? 0 : session.open();
  }

  /// WebSockets opened so far, both kinds.
  public int connections() {
    return connections.get();
  }

  /// Upgrades that were answered with another status than 101.
  public int refusals() {
    return refusals.get();
  }

  /// Messages that were dropped: what is no envelope, has an unusable time stamp, or is for JSON
  /// tunnels and came on the gateway socket.
  public int dropped() {
    return dropped.get();
  }

  /// Messages of one type that were taken.
  public int received(String type) {
    return received.getOrDefault(type, 0);
  }

  /// Messages with data of JSON tunnels that came before the dial was done, and were lost.
  public int lostEarly() {
    return tunnels.lostEarly();
  }

  /// TCP connections of JSON tunnels that are open now.
  public int openTunnels() {
    return tunnels.open();
  }

  // --- what a test may do to it ---

  /// Sends a message of any type, well-formed.
  public void send(String type, String request, Map<String, ?> payload) throws IOException {
    sendText(OriginalJson.encode(type, request, payload));
  }

  /// Sends any text.
  public void sendText(String text) throws IOException {
    OriginalSocket current = socket;
    if (current == null) {
      throw new IOException("no socket");
    }
    current.sendText(text);
  }

  /// Loses the connection without a word; the agent comes back.
  public void cut() throws IOException {
    OriginalSocket current = socket;
    if (current != null) {
      current.close();
    }
  }

  /// A ping cannot be written although the socket is well: the agent opens another one and goes on
  /// reading the old, whose end makes it open yet another.
  public void failPing() {
    Thread.ofVirtual().start(this::reconnect);
  }

  /// The yamux session dies and the peer is told nothing.
  public void loseSession() {
    OriginalYamux session = yamux;
    if (session != null) {
      session.die("as a test wants");
    }
  }

  @Override
  public void close() {
    end(State.CLOSED);
  }

  // --- life ---

  private void begin() {
    OriginalSocket controller;
    try {
      controller = connect();
    } catch (IOException e) {
      state.compareAndSet(State.STARTING, State.STANDALONE);
      return;
    }
    timers.schedule(this::exitUnlessRegistered, REGISTER_WAIT.toMillis(), TimeUnit.MILLISECONDS);
    every(
        PING_INTERVAL,
        () -> {
          OriginalSocket current = socket;
          if (current != null) {
            current.ping();
          }
        });
    try {
      send("register", requestId, OriginalMessages.register(settings.agentId()));
    } catch (IOException e) {
      end(State.EXITED);
    }
    read(controller);
  }

  private void exitUnlessRegistered() {
    if (state.get() == State.STARTING) {
      end(State.EXITED);
    }
  }

  private OriginalSocket connect() throws IOException {
    try {
      OriginalSocket opened = OriginalSocket.connect(url, settings.token());
      connections.incrementAndGet();
      socket = opened;
      if (over.getCount() == 0) {
        opened.close();
      }
      return opened;
    } catch (OriginalSocket.Refused e) {
      refusals.incrementAndGet();
      throw e;
    }
  }

  /// Reads a socket to its end; the end of any one, also of an old one, makes a new one.
  private void read(OriginalSocket from) {
    try {
      for (Message message = from.read(); message != null; message = from.read()) {
        on(from, message);
      }
      from.close();
    } catch (IOException e) {
      // Reconnects, whatever it was.
    }
    if (!left.contains(from)) {
      reconnect();
    }
  }

  /// One loop at a time.
  private void reconnect() {
    if (isOver() || !reconnecting.compareAndSet(false, true)) {
      return;
    }
    OriginalSocket opened;
    try {
      opened = reopened();
    } finally {
      reconnecting.set(false);
    }
    // Not before the flag is back: the new socket may end at once.
    if (opened != null) {
      Thread.ofVirtual().start(() -> read(opened));
    }
  }

  private @Nullable OriginalSocket reopened() {
    State before = state.getAndUpdate(it -> it == State.CONNECTED ? State.RECONNECTING : it);
    if (before != State.CONNECTED) {
      end(State.EXITED);
      return null;
    }
    OriginalSocket opened = untilConnected();
    if (opened != null) {
      if (onGateway) {
        heartbeat();
      }
      shutDownSession();
      state.compareAndSet(State.RECONNECTING, State.CONNECTED);
    }
    return opened;
  }

  private @Nullable OriginalSocket untilConnected() {
    Duration wait = settings.firstBackoff();
    while (!waited(jittered(wait))) {
      try {
        return connect();
      } catch (OriginalSocket.Refused e) {
        if (e.isTerminal()) {
          end(State.STUCK);
          return null;
        }
      } catch (IOException e) {
        // Retried for ever.
      }
      wait = wait.multipliedBy(2);
      wait = wait.compareTo(MAX_BACKOFF) < 0 ? wait : MAX_BACKOFF;
    }
    return null;
  }

  private static Duration jittered(Duration wait) {
    return wait.plusMillis(
        (long) (wait.toMillis() * ThreadLocalRandom.current().nextDouble(JITTER)));
  }

  /// Waits for the streams of the old session, and reads nothing meanwhile.
  private void shutDownSession() {
    OriginalYamux old = yamux;
    if (old != null) {
      if (old.open() > 0) {
        waited(settings.deafness());
      }
      old.die("shut down");
      yamux = null;
    }
  }

  /// True when the agent is over.
  private boolean waited(Duration time) {
    try {
      return over.await(time.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return true;
    }
  }

  private boolean isOver() {
    return over.getCount() == 0;
  }

  private void end(State how) {
    if (isOver()) {
      return;
    }
    state.set(how);
    over.countDown();
    timers.shutdownNow();
    loseSession();
    tunnels.close();
    backend.close();
    try {
      cut();
    } catch (IOException e) {
      // It is gone already.
    }
  }

  private interface Sending {
    void run() throws IOException;
  }

  private void every(Duration interval, Sending sending) {
    timers.scheduleAtFixedRate(
        () ->
            Thread.ofVirtual()
                .start(() -> {
                  try {
                    sending.run();
                  } catch (IOException e) {
                    // The reader notices too.
                  }
                }),
        interval.toMillis(),
        interval.toMillis(),
        TimeUnit.MILLISECONDS);
  }

  // --- messages ---

  private void on(OriginalSocket from, Message message) throws IOException {
    OriginalYamux session = yamux;
    if (message.kind() == Message.Kind.BINARY && session != null) {
      if (from.equals(socket)) {
        session.onBytes(message.bytes());
      }
      return;
    }
    Envelope envelope = OriginalJson.decode(message.text());
    if (envelope == null) {
      dropped.incrementAndGet();
      return;
    }
    received.merge(envelope.type(), 1, Integer::sum);
    switch (envelope.type()) {
      case "register_success" -> registered(from, envelope);
      case "ping" ->
          send(
              "pong",
              envelope.requestId(),
              envelope.payload().has("timestamp")
                  ? Map.of("timestamp", envelope.payload().path("timestamp"))
                  : Map.of());
      case "error" -> error(envelope);
      case "gateway_hello" -> hello(from, envelope);
      case "tcp_tunnel_start", "tcp_tunnel_data", "tcp_tunnel_close", "udp_tunnel_data" ->
          tunnel(envelope);
      case "proxy_request" ->
          send(
              "proxy_error",
              envelope.requestId(),
              Map.of("error", "kubernetes client not initialized"));
      default -> unknown(envelope);
    }
  }

  private void registered(OriginalSocket controller, Envelope success) throws IOException {
    if (state.get() != State.STARTING || !success.requestId().equals(requestId)) {
      return;
    }
    clusterId = success.text("cluster_id");
    String uuid = success.text("cluster_uuid");
    String gateway = success.text("gateway_ws_url");
    if (!gateway.isEmpty() && !settings.has(Trait.STAYS_ON_CONTROLLER)) {
      left.add(controller);
      controller.closeNormally();
      url = gatewayUrl(URI.create(gateway), uuid.isEmpty() ? clusterId : uuid);
      try {
        OriginalSocket opened = connect();
        onGateway = true;
        Thread.ofVirtual().start(() -> read(opened));
      } catch (IOException e) {
        end(State.EXITED);
        return;
      }
    }
    state.compareAndSet(State.STARTING, State.CONNECTED);
    heartbeat();
    every(settings.heartbeat(), this::sendHeartbeat);
  }

  private void heartbeat() {
    try {
      send("heartbeat", "", OriginalMessages.heartbeat(clusterId, settings.agentId()));
    } catch (IOException e) {
      // The reader notices too.
    }
  }

  private void sendHeartbeat() {
    if (state.get() == State.CONNECTED) {
      heartbeat();
    }
  }

  private void hello(OriginalSocket from, Envelope hello) throws IOException {
    if (settings.has(Trait.NEVER_ACKNOWLEDGES)) {
      unknown(hello);
      return;
    }
    if (!hello.payload().path("use_yamux").asBoolean()) {
      return;
    }
    var config = hello.payload().path("yamux_config");
    int window = config.path("max_stream_window_size").asInt(OriginalYamux.INITIAL_WINDOW);
    send("gateway_hello_ack", "", Map.of("use_yamux", true));
    if (window >= OriginalYamux.INITIAL_WINDOW) {
      yamux =
          new OriginalYamux(
              new OriginalYamux.Config(
                  window,
                  Duration.ofSeconds(config.path("keep_alive_interval_seconds").asInt(30)),
                  Duration.ofSeconds(config.path("connection_timeout_seconds").asInt(30))),
              from::sendBinary,
              timers,
              backend::serve);
    }
  }

  /// Only the controller socket has handlers for these.
  private void tunnel(Envelope envelope) {
    if (onGateway) {
      dropped.incrementAndGet();
    } else if (settings.has(Trait.TUNNELS_ENABLED)) {
      tunnels.on(envelope);
    } else {
      end(State.CRASHED);
    }
  }

  private void error(Envelope error) throws IOException {
    String text = error.text("error").toLowerCase(Locale.ROOT);
    if (text.contains("not registered") || text.contains("cluster not found")) {
      clusterId = "";
      if (onGateway) {
        end(State.STUCK);
      } else {
        send("register", requestId, OriginalMessages.register(settings.agentId()));
      }
    }
  }

  private void unknown(Envelope envelope) throws IOException {
    String type = envelope.type();
    boolean known =
        OriginalMessages.KNOWN.contains(type)
            && !(type.equals("gateway_hello") && settings.has(Trait.NEVER_ACKNOWLEDGES));
    if (!known && reportedUnknown.add(type)) {
      send("protocol_fallback", "", OriginalMessages.fallback(type, envelope.requestId()));
    }
  }

  // --- addresses ---

  private static URI controllerUrl(URI api) {
    if (!"http".equals(api.getScheme())) {
      throw new IllegalArgumentException("api: " + api + " (expected: an http URL)");
    }
    return URI.create("ws://" + api.getRawAuthority() + "/api/v1/clusters/agent/ws");
  }

  /// A path is added only where there is none; parameters go behind those that are there.
  private static URI gatewayUrl(URI gateway, String clusterUuid) {
    String path = gateway.getRawPath().isEmpty() ? "/ws" : gateway.getRawPath();
    String before = gateway.getRawQuery() == null ? "" : gateway.getRawQuery() + "&";
    return URI.create(
        "ws://"
            + gateway.getRawAuthority()
            + path
            + "?"
            + before
            + OriginalMessages.query(clusterUuid));
  }
}
