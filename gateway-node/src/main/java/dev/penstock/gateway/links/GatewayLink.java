package dev.penstock.gateway.links;

import dev.penstock.config.HostPort;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.gateway.observe.Live;
import dev.penstock.gateway.observe.LiveAgent;
import dev.penstock.gateway.observe.Rejection;
import dev.penstock.live.LiveLink;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.control.CarrierChoice;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.GatewayHello;
import dev.penstock.protocol.control.ControlMessage.GatewayHelloAck;
import dev.penstock.protocol.control.ControlMessage.Heartbeat;
import dev.penstock.protocol.control.ControlMessage.HeartbeatAck;
import dev.penstock.protocol.control.ControlMessage.Ping;
import dev.penstock.protocol.control.ControlMessage.Pong;
import dev.penstock.protocol.control.ControlMessage.Register;
import dev.penstock.protocol.control.ControlMessage.RegisterSuccess;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.json.OriginalPacing;
import dev.penstock.protocol.link.DatagramStream;
import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.LinkListener;
import dev.penstock.protocol.link.LinkSample;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.link.LinkStage;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.net.WebSocketConnection;
import dev.penstock.protocol.net.WebSocketMessage;
import dev.penstock.protocol.yamux.ByteBudget;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.stream.Materializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One agent's WebSocket: the controller socket, on which it registers, or the gateway socket,
/// which carries streams. Runs on the loop of its connection; its streams are its children.
/// Stopping it, for any reason, ends the connection.
public final class GatewayLink {
  /// What this link can be told.
  public sealed interface Command {}

  /// Carry this client; the answer goes to its tunnel.
  public record Carry(Client client, AgentLink by) implements Command {}

  /// Carry the datagrams of this flow; the answer goes to the flow.
  ///
  /// @param timeout how long nothing may go in either direction
  public record CarryDatagrams(UdpFlow flow, AgentLink by, Duration timeout) implements Command {}

  /// The gateway ends: close the link in order.
  public record GoAway() implements Command {}

  /// The gateway is about to end: ask the agent for a link elsewhere, and take no more streams once
  /// it has one.
  ///
  /// @param patience how long it may take
  /// @param moved run when the agent has one, when its time is over, and when it cannot be asked
  record Drain(Duration patience, Runnable moved) implements Command {}

  /// Close the link as soon as nothing runs on it.
  record CloseWhenIdle() implements Command {}

  /// Other nodes may be linked to than before.
  record NodesChanged() implements Command {}

  /// An operator wants it closed.
  private record CloseNow() implements Command {}

  private record Moved() implements Command {}

  private record Idle() implements Command {}

  private record SayDrained() implements Command {}

  /// An agent of this link's cluster has registered a tunnel.
  record TunnelsKnown() implements Command {}

  private record Arrived(ControlMessage message) implements Command {}

  private record Refused(LinkListener.Refusal refusal) implements Command {}

  private record Ended(LinkEnd end) implements Command {}

  private record FellSilent() implements Command {}

  private record SpeaksAgain() implements Command {}

  private record SessionDied() implements Command {}

  private record TimedOut() implements Command {}

  private record CheckAlive() implements Command {}

  private record Forgotten() implements Command {}

  /// Which of the two sockets of the protocol this is.
  public enum Socket {
    CONTROLLER,
    GATEWAY
  }

  /// What the links of one gateway share.
  ///
  /// @param carriers what may carry the streams of a link
  /// @param originals how agents without our extensions are linked
  /// @param registerTimeout from the upgrade until `register` on the controller socket
  /// @param helloPatience from `gateway_hello` until its answer
  /// @param clientIdleTimeout without bytes either way, after which a client is cut; zero for never
  public record Shared(
      Links links,
      Arrivals arrivals,
      LinkSettings settings,
      CarrierChoice carriers,
      Originals originals,
      Duration registerTimeout,
      HelloPatience helloPatience,
      Duration clientIdleTimeout,
      ByteBudget budget,
      GatewayMeters meters,
      BadPeers badPeers) {}

  /// How agents without our extensions are linked: an original agent carries JSON tunnels on the
  /// controller socket only, so that it must then not be told of the gateway socket.
  ///
  /// @param carrier what is preferred for them; yamux where the gateway may use it
  /// @param pacing of JSON tunnels
  /// @param halfClosedTimeout without a byte of the client, once the agent has ended its direction;
  ///   zero for no limit
  public record Originals(Carrier carrier, OriginalPacing pacing, Duration halfClosedTimeout) {
    /// By yamux, with usual pacing where even that must not be used.
    public static final Originals DEFAULT =
        new Originals(Carrier.YAMUX, OriginalPacing.defaults(), Duration.ofMinutes(1));
  }

  /// How long an agent is expected to take for `gateway_hello_ack`, before its link counts as one
  /// without a session. An answer that comes later is still honoured.
  ///
  /// @param first of a cluster that was not linked lately; an old original agent never answers
  /// @param again of a cluster that was: an original agent that had streams open is deaf for 30 s
  public record HelloPatience(Duration first, Duration again) {
    public static final HelloPatience DEFAULT =
        new HelloPatience(Duration.ofSeconds(5), Duration.ofSeconds(45));
  }

  /// What one link is made of.
  ///
  /// @param kind of the agent, as far as the upgrade shows
  /// @param gatewayUrl where an agent that registers is sent
  /// @param offered the extensions that the agent named in its request
  /// @param handshakeOver run when the agent has registered or linked, or will not
  /// @param nodes what an agent that can link to several is told
  public record Setup(
      Shared shared,
      Socket socket,
      AgentKind kind,
      String cluster,
      WebSocketConnection connection,
      String gatewayUrl,
      Set<Capability> offered,
      Runnable handshakeOver,
      NodeDirectory nodes) {}

  private static final Logger log = LoggerFactory.getLogger(GatewayLink.class);
  private static final Set<Capability> OURS =
      EnumSet.of(
          Capability.UDP_FRAMES,
          Capability.DIAL_STATUS,
          Capability.CALLER_ADDRESS,
          Capability.DRAIN,
          Capability.NODES,
          Capability.CANARY);

  private static final Set<Capability> OURS_TRACING = tracing(OURS);

  /// For streams that were given to this link before it was taken off the list.
  private static final Duration ON_THEIR_WAY = Duration.ofMillis(100);

  /// What the session of JSON messages does in place of an original agent.
  private static final Set<Capability> MADE_UP_FOR_ORIGINAL =
      EnumSet.of(Capability.DIAL_STATUS, Capability.CALLER_ADDRESS);

  /// How long an agent without our extensions may take to answer a ping: the original gives its own
  /// pings 30 s, because one large message holds up all others.
  private static final Duration ORIGINAL_PATIENCE = Duration.ofSeconds(40);

  /// Between two looks at a socket without a yamux session, whose pings would show that it lives.
  private static final Duration ALIVE_INTERVAL = Duration.ofSeconds(30);

  /// An original agent sends a heartbeat every 30 s, every 60 s in its worst mood, and answers
  /// pings unless it is deaf.
  private static final Duration MAX_SILENCE = Duration.ofMinutes(2);

  /// Id of the control message that is sent when the yamux session is silent.
  private static final String IS_ANYBODY_THERE = "is-anybody-there";

  /// For a session whose agent was heard beside it.
  private static final Duration LAST_CHANCE = Duration.ofSeconds(2);

  private static final Duration ORIGINALS_PATIENCE = Duration.ofSeconds(45);
  private static final Duration LINGER = Duration.ofSeconds(5);

  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final Setup setup;
  private final Link link;
  private final Materializer materializer;
  private @Nullable GatewayHello hello;
  private @Nullable Carrier carrier;
  private @Nullable AgentLink registered;
  private long heardAt = System.nanoTime();
  private @Nullable Drain draining;
  private boolean closesWhenIdle;

  /// The agent said so before its link came up: a look at the link, which is to carry nothing.
  private boolean carriesNothing;

  private boolean leaving;
  private boolean ended;
  private final AtomicLong rtt;

  /// What operators know this socket by.
  private final String socketId;

  /// The agent that has spoken on this socket; null while none has.
  private @Nullable String agent;

  private GatewayLink(
      ActorContext<Command> context,
      TimerScheduler<Command> timers,
      Setup setup,
      Link link,
      AtomicLong rtt,
      Materializer materializer) {
    this.rtt = rtt;
    this.socketId = setup.shared().meters().live().nextId("l");
    this.context = context;
    this.timers = timers;
    this.setup = setup;
    this.link = link;
    this.materializer = materializer;
  }

  public static Behavior<Command> create(Setup setup) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          var materializer = setup.connection().loop().materializer(context);
          var rtt = new AtomicLong();
          Link link =
              LinkStage.run(
                  setup.connection(),
                  setup.shared().settings(),
                  setup.shared().budget(),
                  new ToActor(context.getSelf(), setup.shared().meters(), rtt),
                  materializer);
          return new GatewayLink(context, timers, setup, link, rtt, materializer).start();
        }));
  }

  private record ToActor(ActorRef<Command> actor, GatewayMeters meters, AtomicLong rtt)
      implements LinkListener {
    @Override
    public void control(ControlMessage message) {
      actor.tell(new Arrived(message));
    }

    @Override
    public void requested(LinkStream stream, StreamHeader header) {
      stream.reset();
    }

    @Override
    public void refused(Refusal refusal) {
      actor.tell(new Refused(refusal));
    }

    @Override
    public void measured(LinkSample sample) {
      meters.links().measured(sample);
      if (sample.rttNanos() > 0) {
        rtt.setOpaque(sample.rttNanos());
      }
      meters.canaries(sample.canaries());
    }

    @Override
    public void silent() {
      actor.tell(new FellSilent());
    }

    @Override
    public void speaksAgain() {
      actor.tell(new SpeaksAgain());
    }

    @Override
    public void ended(LinkEnd end) {
      actor.tell(new Ended(end));
    }
  }

  private static Set<Capability> tracing(Set<Capability> others) {
    var all = EnumSet.copyOf(others);
    all.add(Capability.TRACE_CONTEXT);
    return all;
  }

  private Behavior<Command> start() {
    if (setup.socket() == Socket.CONTROLLER) {
      timers.startSingleTimer(new TimedOut(), registerPatience());
    } else {
      var yamux = setup.shared().settings().yamux();
      CarrierChoice carriers = setup.shared().carriers();
      var offer =
          new GatewayHello(
              carriers.allows(Carrier.YAMUX),
              yamux.maxWindow(),
              setup.shared().settings().keepAliveInterval(),
              Duration.ofSeconds(30),
              carriers.capabilities(
                  setup.shared().meters().access().traces() ? OURS_TRACING : OURS));
      hello =
          setup.offered().contains(Capability.NODES)
              ? offer.telling(setup.nodes().self(), setup.nodes().nodes())
              : offer;
      link.offer(hello);
      var patience = setup.shared().helloPatience();
      timers.startSingleTimer(
          new TimedOut(),
          setup.shared().arrivals().isReturn(setup.cluster(), System.nanoTime())
              ? patience.again()
              : patience.first());
    }
    timers.startTimerWithFixedDelay(new CheckAlive(), ALIVE_INTERVAL);
    return Behaviors.receive(Command.class)
        .onAnyMessage(this::on)
        .onSignal(
            PostStop.class,
            _ -> {
              leaving = true;
              deregister();
              return Behaviors.same();
            })
        .build();
  }

  private Behavior<Command> on(Command command) {
    return switch (command) {
      case Arrived(var message) -> arrived(message);
      case Carry(var client, var by) -> {
        context.spawnAnonymous(
            ClientStream.create(client, by, setup.shared(), materializer),
            DispatcherSelector.fromConfig(link.loop().dispatcher()));
        yield Behaviors.same();
      }
      case CarryDatagrams(var flow, var by, var timeout) -> {
        context.spawnAnonymous(
            UdpSession.create(
                flow, by, setup.shared().meters(), setup.shared().links().udpSessions(), timeout),
            DispatcherSelector.fromConfig(link.loop().dispatcher()));
        yield Behaviors.same();
      }
      case Refused(var refusal) -> {
        setup
            .shared()
            .badPeers()
            .rejected(
                rejectionFor(refusal),
                setup.connection().remoteAddress(),
                setup.cluster() + ": " + refusal);
        yield Behaviors.same();
      }
      case FellSilent() -> {
        if (registered != null) {
          registered.silent();
          askBesideSession();
        }
        yield Behaviors.same();
      }
      case SpeaksAgain() -> {
        if (registered != null) {
          registered.speaksAgain();
          timers.cancel(new SessionDied());
        }
        yield Behaviors.same();
      }
      case TunnelsKnown() -> {
        carryToOriginal();
        yield Behaviors.same();
      }
      case SessionDied() -> {
        link.giveUp("the agent answers, but its yamux session does not");
        yield Behaviors.same();
      }
      case TimedOut() -> {
        timedOut();
        yield Behaviors.same();
      }
      case CheckAlive() -> {
        checkAlive();
        yield Behaviors.same();
      }
      case Drain drain -> {
        drain(drain);
        yield Behaviors.same();
      }
      case Moved() -> {
        moved();
        yield Behaviors.same();
      }
      case CloseWhenIdle() -> {
        closeWhenIdle();
        yield Behaviors.same();
      }
      case Idle() -> {
        closeIfIdle();
        yield Behaviors.same();
      }
      case SayDrained() -> {
        link.send(new ControlMessage.Drained());
        yield Behaviors.same();
      }
      case NodesChanged() -> {
        if (registered != null && registered.can(Capability.NODES)) {
          link.send(new ControlMessage.Nodes(setup.nodes().nodes()));
        }
        yield Behaviors.same();
      }
      case CloseNow() -> {
        deregister();
        link.close(WebSocketMessage.Close.GOING_AWAY, "closed by an operator");
        yield Behaviors.same();
      }
      case GoAway() -> {
        deregister();
        leaving = true;
        link.close(WebSocketMessage.Close.GOING_AWAY, "the gateway ends");
        yield ended ? Behaviors.stopped() : Behaviors.same();
      }
      case Ended(var end) -> {
        ended = true;
        ended(end);
        if (leaving) {
          yield Behaviors.stopped();
        }
        // Clients that were given to this link before it was taken off the list still come: they
        // are given back.
        timers.startSingleTimer(new Forgotten(), LINGER);
        yield Behaviors.same();
      }
      case Forgotten() -> Behaviors.stopped();
    };
  }

  /// An agent that cannot be asked keeps its link until nothing runs on it, because without it
  /// nobody would reach its services: it finds another node by itself once this one is closed.
  private void drain(Drain drain) {
    if (draining != null) {
      return;
    }
    draining = drain;
    if (registered == null || !registered.can(Capability.DRAIN)) {
      drain.moved().run();
    } else {
      askToMove(drain);
    }
  }

  private void askToMove(Drain drain) {
    link.send(new ControlMessage.Drain());
    timers.startSingleTimer(new Moved(), drain.patience());
  }

  private void moved() {
    if (draining != null && registered != null) {
      timers.cancel(new Moved());
      takeNoMore(registered);
      draining.moved().run();
      closeWhenIdle();
    }
  }

  private void takeNoMore(AgentLink running) {
    setup.shared().links().remove(running);
    LiveLink shown = running.live();
    if (shown != null) {
      shown.drains();
    }
  }

  private void closeWhenIdle() {
    if (registered != null && !closesWhenIdle) {
      closesWhenIdle = true;
      ActorRef<Command> self = context.getSelf();
      registered.whenIdle(() -> self.tell(new Idle()));
    }
  }

  private void closeIfIdle() {
    if (registered != null && registered.outstanding() == 0) {
      deregister();
      link.close(WebSocketMessage.Close.GOING_AWAY, "this node of the gateway ends");
    }
  }

  /// The agent ends, or has a better link: it is told once what was on its way here is through.
  private void left() {
    carriesNothing |= registered == null;
    if (registered != null && registered.can(Capability.DRAIN)) {
      takeNoMore(registered);
      timers.startSingleTimer(new SayDrained(), ON_THEIR_WAY);
    }
  }

  private static Rejection rejectionFor(LinkListener.Refusal refusal) {
    return switch (refusal) {
      case FOREIGN_STREAM,
          BAD_STREAM_HEADER,
          STREAM_HEADER_TIMEOUT,
          DUPLICATE_TUNNEL_ID,
          TOO_MANY_STREAMS ->
          Rejection.FOREIGN_STREAM;
      case UNEXPECTED_TUNNEL_MESSAGE -> Rejection.UNEXPECTED_TUNNEL_MESSAGE;
      case UNREADABLE_TUNNEL_MESSAGE -> Rejection.UNREADABLE_TUNNEL_MESSAGE;
      case TUNNEL_SEQUENCE -> Rejection.TUNNEL_SEQUENCE;
      case TUNNEL_CREDIT -> Rejection.TUNNEL_CREDIT;
      case TUNNEL_DATA_AFTER_FIN -> Rejection.TUNNEL_DATA_AFTER_FIN;
      case TUNNEL_DIAL -> Rejection.TUNNEL_DIAL;
    };
  }

  private void timedOut() {
    if (setup.socket() == Socket.GATEWAY) {
      withoutSession();
      return;
    }
    setup
        .shared()
        .badPeers()
        .rejected(
            Rejection.NOT_REGISTERED_IN_TIME, setup.connection().remoteAddress(), setup.cluster());
    link.close(
        WebSocketMessage.Close.POLICY_VIOLATION,
        "no register message within " + registerPatience().toMillis() + " ms");
  }

  /// An original agent may spend 13 s on look-ups before it registers, and one that comes back
  /// sends nothing but a heartbeat within 30 s.
  private Duration registerPatience() {
    Duration usual = setup.shared().registerTimeout();
    return setup.kind() == AgentKind.ORIGINAL && usual.compareTo(ORIGINALS_PATIENCE) < 0
        ? ORIGINALS_PATIENCE
        : usual;
  }

  /// The link stays: control messages go on, and nothing binary is ever sent. Closing it would only
  /// make the agent come back at once.
  private void withoutSession() {
    setup.handshakeOver().run();
    setup.shared().meters().helloFallback();
    log.atInfo()
        .addKeyValue("cluster", setup.cluster())
        .addKeyValue("agentAddress", setup.connection().remoteAddress())
        .log("a link stays without a session because its agent did not answer the hello");
  }

  /// A socket with a session is pinged by that.
  private void checkAlive() {
    if (registered != null) {
      return;
    }
    if (System.nanoTime() - heardAt < MAX_SILENCE.toNanos()) {
      link.send(new Ping("alive", ""));
      return;
    }
    setup
        .shared()
        .badPeers()
        .rejected(Rejection.SILENT, setup.connection().remoteAddress(), setup.cluster());
    link.close(
        WebSocketMessage.Close.POLICY_VIOLATION,
        "no message within " + MAX_SILENCE.toSeconds() + " s");
  }

  private Behavior<Command> arrived(ControlMessage message) {
    heardAt = System.nanoTime();
    switch (message) {
      case Register register -> register(register);
      case GatewayHelloAck ack -> helloAck(ack);
      case Heartbeat heartbeat -> {
        heard(heartbeat);
        // An original agent that comes back to the controller socket does not register again.
        cancelRegisterTimeout();
        link.send(new HeartbeatAck());
      }
      case Ping(String id, String timestamp) -> link.send(new Pong(id, timestamp));
      case Pong(String id, _) -> answered(id);
      case ControlMessage.Drain() -> left();
      case ControlMessage.Drained() -> moved();
      // What an agent says of itself, and what only a gateway says: nothing to do.
      case ControlMessage.RegisterInProgress _,
          RegisterSuccess _,
          HeartbeatAck _,
          ControlMessage.ErrorMessage _,
          GatewayHello _,
          ControlMessage.Nodes _,
          ControlMessage.ProtocolFallback _,
          ControlMessage.InTunnel _,
          ControlMessage.Unknown _ ->
          log.atDebug()
              .addKeyValue("message", message.getClass().getSimpleName())
              .log("ignored a message");
    }
    return Behaviors.same();
  }

  private void register(Register register) {
    cancelRegisterTimeout();
    setup.handshakeOver().run();
    String cluster = setup.cluster();
    boolean staysHere = staysHere(register);
    if (staysHere && registered == null) {
      setup.shared().links().awaitTunnels(cluster, context.getSelf());
    }
    link.send(
        new RegisterSuccess(
            register.requestId(),
            cluster,
            cluster,
            cluster,
            "registered",
            null,
            staysHere ? null : setup.gatewayUrl()));
    log.atInfo()
        .addKeyValue("cluster", cluster)
        .addKeyValue("agentId", register.agentId())
        .addKeyValue("agentAddress", setup.connection().remoteAddress())
        .addKeyValue("link", link.number())
        .log("an agent registered");
    Live live = setup.shared().meters().live();
    speaks(register.agentId());
    live.agentRegistered(
        socketId,
        cluster,
        register.agentId(),
        new LiveAgent.Facts(
            register.name(),
            register.hostname(),
            register.agentVersion(),
            kindOf(setup.kind().registered(register.features())),
            HostPort.show(setup.connection().remoteAddress())));
  }

  /// Whether an agent is to have its tunnels on this socket, in JSON.
  private boolean staysHere(Register register) {
    return setup.socket() == Socket.CONTROLLER
        && setup.kind().registered(register.features()) == AgentKind.ORIGINAL
        && (setup.shared().originals().carrier() == Carrier.JSON
            || !setup.shared().carriers().allows(Carrier.YAMUX));
  }

  /// Only once a tunnel was registered: an original agent that has tunnels disabled dies of the
  /// first message of one.
  private void carryToOriginal() {
    if (registered != null || ended || leaving) {
      return;
    }
    carrier = Carrier.JSON;
    link.tolerateSilence(ORIGINAL_PATIENCE);
    link.carryToOriginal(
        Long.toHexString(ThreadLocalRandom.current().nextLong()),
        setup.shared().originals().pacing());
    up(
        new AgentLink(
            setup.cluster(),
            link,
            MADE_UP_FOR_ORIGINAL,
            DatagramStream.Framing.MESSAGES,
            context.getSelf()),
        Carrier.JSON);
  }

  private void askBesideSession() {
    if (carrier == Carrier.YAMUX) {
      link.send(new Ping(IS_ANYBODY_THERE, ""));
    }
  }

  /// An original agent whose session died says nothing of it and goes on with everything else,
  /// while its streams fall into a hole. One that is deaf or busy answers neither way.
  private void answered(String pingId) {
    if (pingId.equals(IS_ANYBODY_THERE) && registered != null && registered.isSilent()) {
      timers.startSingleTimer(new SessionDied(), LAST_CHANCE);
    }
  }

  private void cancelRegisterTimeout() {
    if (setup.socket() == Socket.CONTROLLER) {
      timers.cancel(new TimedOut());
    }
  }

  /// May come late: the agent has begun to speak then, and nothing else is of use to it.
  private void helloAck(GatewayHelloAck ack) {
    if (hello == null || registered != null) {
      return;
    }
    timers.cancel(new TimedOut());
    setup.handshakeOver().run();
    carrier = Carrier.agreed(hello, ack);
    if (carrier == null) {
      String why =
          "no protocol in common for tunnels: this gateway is set to "
              + setup.shared().carriers().label()
              + " and the agent uses "
              + (ack.capabilities().contains(Capability.CREDITS) ? Carrier.JSON : Carrier.YAMUX)
                  .label();
      setup
          .shared()
          .badPeers()
          .rejected(
              Rejection.NO_COMMON_PROTOCOL,
              setup.connection().remoteAddress(),
              setup.cluster() + ": " + why);
      link.close(WebSocketMessage.Close.POLICY_VIOLATION, why);
      return;
    }
    if (ack.capabilities().isEmpty()) {
      link.tolerateSilence(ORIGINAL_PATIENCE);
    }
    Set<Capability> common = Capability.common(hello.capabilities(), ack.capabilities());
    up(
        new AgentLink(
            setup.cluster(),
            link,
            common,
            common.contains(Capability.UDP_FRAMES)
                ? DatagramStream.Framing.LENGTHS
                : DatagramStream.Framing.YAMUX_FRAMES,
            context.getSelf()),
        carrier);
  }

  private void up(AgentLink candidate, Carrier by) {
    if (!carriesNothing && !setup.shared().links().add(candidate)) {
      setup
          .shared()
          .badPeers()
          .rejected(Rejection.TOO_MANY_LINKS, setup.connection().remoteAddress(), setup.cluster());
      link.close(WebSocketMessage.Close.TRY_AGAIN_LATER, "this cluster has too many links");
      return;
    }
    show(candidate, by);
    registered = candidate;
    setup.shared().arrivals().linked(setup.cluster(), System.nanoTime());
    setup.shared().links().others(candidate).forEach(AgentLink::probe);
    setup.shared().meters().linkUp();
    if (draining != null && candidate.can(Capability.DRAIN)) {
      // Its upgrade was granted just before.
      askToMove(draining);
    }
    log.atInfo()
        .addKeyValue("cluster", setup.cluster())
        .addKeyValue("agentAddress", setup.connection().remoteAddress())
        .addKeyValue("link", link.number())
        .addKeyValue("protocol", by.label())
        .log("a link is up");
  }

  private void heard(Heartbeat heartbeat) {
    if (!heartbeat.agentId().isEmpty()) {
      speaks(heartbeat.agentId());
      setup
          .shared()
          .meters()
          .live()
          .agentHeard(
              socketId,
              setup.cluster(),
              heartbeat.agentId(),
              new LiveAgent.Facts(
                  "",
                  "",
                  heartbeat.agentVersion(),
                  kindOf(setup.kind()),
                  HostPort.show(setup.connection().remoteAddress())));
    }
  }

  /// Remembers which agent this socket is of.
  private void speaks(String agentId) {
    if (!agentId.equals(agent)) {
      speaksNoLonger();
      agent = agentId;
      LiveLink shown = registered == null ? null : registered.live();
      if (shown != null) {
        shown.agent(agentId);
      }
    }
  }

  private void speaksNoLonger() {
    if (agent != null) {
      setup.shared().meters().live().socketGone(socketId, setup.cluster(), agent);
      agent = null;
    }
  }

  private static String kindOf(AgentKind kind) {
    return kind == AgentKind.ORIGINAL ? "original" : "penstock";
  }

  private void show(AgentLink candidate, Carrier by) {
    Live live = setup.shared().meters().live();
    ActorRef<Command> self = context.getSelf();
    var shown =
        new LiveLink(
            socketId,
            new LiveLink.Facts(
                setup.cluster(),
                HostPort.show(setup.connection().remoteAddress()),
                by.label(),
                Arrays.stream(Capability.values())
                    .filter(candidate::can)
                    .map(Capability::wireName)
                    .toList(),
                link.loop().index()),
            candidate::outstanding,
            rtt::getOpaque,
            () -> self.tell(new CloseNow()));
    if (agent != null) {
      shown.agent(agent);
    }
    candidate.showAs(shown);
    live.linkUp(shown);
  }

  private void hide(AgentLink running, String reason, String detail) {
    LiveLink shown = running.live();
    if (shown != null) {
      setup.shared().meters().live().linkDown(shown, reason, detail);
    }
  }

  private void deregister() {
    if (ended || leaving) {
      speaksNoLonger();
    }
    setup.shared().links().awaitNoLonger(setup.cluster(), context.getSelf());
    if (registered != null) {
      hide(registered, "closed", "by this end");
      setup.shared().links().remove(registered);
      setup.shared().arrivals().linked(setup.cluster(), System.nanoTime());
      setup.shared().meters().linkDown();
      registered = null;
    }
  }

  private void ended(LinkEnd end) {
    boolean carried = registered != null;
    if (registered != null) {
      hide(registered, end.cause().name().toLowerCase(Locale.ROOT), end.detail());
    }
    deregister();
    if (carried) {
      setup.shared().meters().linkEnded(end.cause());
    }
    Rejection rejection =
        switch (end.cause()) {
          case WEBSOCKET_VIOLATION -> Rejection.WEBSOCKET_VIOLATION;
          case YAMUX_VIOLATION -> Rejection.YAMUX_VIOLATION;
          case TUNNEL_VIOLATION -> Rejection.TUNNEL_VIOLATION;
          case MALFORMED_MESSAGE -> Rejection.MALFORMED_MESSAGE;
          case NOT_READING -> Rejection.NOT_READING;
          case CLOSED, CLOSED_BY_PEER, LOST, KEEPALIVE_TIMEOUT, CANARY_TIMEOUT -> null;
        };
    if (rejection != null) {
      setup
          .shared()
          .badPeers()
          .rejected(
              rejection, setup.connection().remoteAddress(), setup.cluster() + ": " + end.detail());
    } else if (carried) {
      log.atInfo()
          .addKeyValue("cluster", setup.cluster())
          .addKeyValue("agentAddress", setup.connection().remoteAddress())
          .addKeyValue("link", link.number())
          .addKeyValue("cause", end.cause())
          .addKeyValue("detail", end.detail())
          .log("a link ended");
    }
  }
}
