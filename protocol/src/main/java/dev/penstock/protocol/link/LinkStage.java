package dev.penstock.protocol.link;

import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.control.ControlCodec;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.StreamHeaderDecoder;
import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.json.JsonListener;
import dev.penstock.protocol.json.JsonSession;
import dev.penstock.protocol.json.JsonStream;
import dev.penstock.protocol.json.OriginalPacing;
import dev.penstock.protocol.json.OriginalSession;
import dev.penstock.protocol.json.OriginalStream;
import dev.penstock.protocol.json.TunnelFault;
import dev.penstock.protocol.net.Connection;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.ReadMemory;
import dev.penstock.protocol.net.WebSocketMessage;
import dev.penstock.protocol.net.WebSocketViolation;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.GoAwayCode;
import dev.penstock.protocol.yamux.MuxSession;
import dev.penstock.protocol.yamux.OpenResult;
import dev.penstock.protocol.yamux.ProtocolViolation;
import dev.penstock.protocol.yamux.Role;
import dev.penstock.protocol.yamux.SessionListener;
import dev.penstock.protocol.yamux.StreamListener;
import dev.penstock.protocol.yamux.YamuxSession;
import dev.penstock.protocol.yamux.YamuxStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.stream.Attributes;
import org.apache.pekko.stream.FlowShape;
import org.apache.pekko.stream.Inlet;
import org.apache.pekko.stream.Materializer;
import org.apache.pekko.stream.Outlet;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.stage.AbstractGraphStageWithMaterializedValue;
import org.apache.pekko.stream.stage.AsyncCallback;
import org.apache.pekko.stream.stage.GraphStageLogic;
import org.apache.pekko.stream.stage.InHandler;
import org.apache.pekko.stream.stage.OutHandler;
import org.apache.pekko.stream.stage.TimerGraphStageLogic;
import org.jspecify.annotations.Nullable;

/// Joins a WebSocket with control messages and a session of streams: text is JSON, binary is yamux;
/// the streams are in yamux or, where that was agreed, in JSON too. Translates and carries; the
/// session decides.
///
/// Always reads: what the streams' readers leave is bounded by their windows and the byte budget,
/// so one of them can never stop the others.
public final class LinkStage
    extends AbstractGraphStageWithMaterializedValue<
        FlowShape<WebSocketMessage, WebSocketMessage>, Link> {
  /// Control messages that may wait for a peer that does not read.
  static final int MAX_WAITING_MESSAGES = 1024;

  /// Payload of one binary message, about.
  private static final int BATCH_BYTES = 128 * 1024;

  /// One read of so much means that streams are busy, and not only pings.
  private static final int BUSY_BYTES = 16 * 1024;

  private static final Duration TICK = Duration.ofSeconds(1);

  private final Loop loop;
  private final LinkSettings settings;
  private final ByteBudget processBudget;
  private final LinkListener listener;
  private final Inlet<WebSocketMessage> in = Inlet.create("LinkStage.in");
  private final Outlet<WebSocketMessage> out = Outlet.create("LinkStage.out");
  private final FlowShape<WebSocketMessage, WebSocketMessage> shape = FlowShape.of(in, out);

  /// Begins a link over a connection, on the connection's loop.
  ///
  /// @param processBudget bytes that all links of this process may hold for slow readers
  public static Link run(
      Connection<WebSocketMessage> connection,
      LinkSettings settings,
      ByteBudget processBudget,
      LinkListener listener,
      Materializer materializer) {
    Loop loop = connection.loop();
    return connection
        .lendingFlow()
        .joinMat(new LinkStage(loop, settings, processBudget, listener), Keep.right())
        .withAttributes(loop.attributes())
        .run(materializer);
  }

  /// @param loop where the graph will run
  /// @param processBudget bytes that all links of this process may hold for slow readers
  public LinkStage(
      Loop loop, LinkSettings settings, ByteBudget processBudget, LinkListener listener) {
    this.loop = loop;
    this.settings = settings;
    this.processBudget = processBudget;
    this.listener = listener;
  }

  @Override
  public FlowShape<WebSocketMessage, WebSocketMessage> shape() {
    return shape;
  }

  @Override
  public Pair<GraphStageLogic, Link> createLogicAndMaterializedValuePair(Attributes attributes) {
    var logic = new Multiplexer();
    return Pair.create(logic, logic.link);
  }

  final class Multiplexer extends TimerGraphStageLogic
      implements InHandler, OutHandler, SessionListener, JsonListener {
    private final AsyncCallback<Multiplexer> wake = createAsyncCallback(Multiplexer::wakened);
    private final Link link = new Link(loop, this);
    private final ReadMemory memory = loop.readMemory();
    private final ControlCodec codec = new ControlCodec(settings.maxText());
    private final ArrayDeque<String> messages = new ArrayDeque<>();
    private final LinkedHashSet<HeaderReader> headers = new LinkedHashSet<>();
    private final ByteBudget budget = processBudget.child(settings.sessionBudget());
    private @Nullable MuxSession session;

    /// What was said of the session, by us or by the gateway.
    private ControlMessage.@Nullable GatewayHello hello;

    private boolean offered;
    private boolean acceptsStreams;
    private StreamHeaderDecoder.Sender headersOf = StreamHeaderDecoder.Sender.GATEWAY;

    /// What the ended session still had to say.
    private ByteBuffer @Nullable [] goAway;

    private WebSocketMessage.@Nullable Close closing;
    private boolean wakePending;
    private boolean duePending;
    private long dueAt;
    private boolean ended;
    private boolean busy;
    private boolean silent;
    private long lastBytes = System.nanoTime();
    private final Liveness liveness =
        new Liveness(settings.keepAliveInterval(), settings.keepAliveTimeout(), lastBytes);
    private @Nullable LinkEnd untold;
    private int ticksSinceEnd;
    private final Sampler sampler = new Sampler();

    Multiplexer() {
      super(shape);
      setHandler(in, this);
      setHandler(out, this);
    }

    @Override
    public void preStart() {
      setKeepGoing(true);
      scheduleWithFixedDelay("tick", TICK, TICK);
      pull(in);
    }

    // --- for Link, on the loop, from outside the graph ---

    void send(ControlMessage message) {
      if (ended) {
        return;
      }
      messages.add(codec.encode(message));
      if (messages.size() > MAX_WAITING_MESSAGES) {
        end(
            new LinkEnd(LinkEnd.Cause.NOT_READING, messages.size() + " control messages unread"),
            new WebSocketMessage.Close(WebSocketMessage.Close.POLICY_VIOLATION, "not reading"));
      }
      wake();
    }

    void offer(ControlMessage.GatewayHello offer) {
      offered = true;
      hello = offer;
      send(offer);
    }

    void accept(ControlMessage.GatewayHelloAck ack) {
      send(ack);
      start(ack);
    }

    /// The gateway is the server end and the only one that opens streams.
    private void start(ControlMessage.GatewayHelloAck ack) {
      ControlMessage.GatewayHello said = hello;
      Carrier carrier = said == null ? null : Carrier.agreed(said, ack);
      if (said == null || carrier == null || ended || session != null) {
        return;
      }
      acceptsStreams = !offered;
      Set<Capability> common = Capability.common(said.capabilities(), ack.capabilities());
      if (common.contains(Capability.CANARY)) {
        liveness.agreed(offered ? Liveness.Proof.CANARIES : Liveness.Proof.CANARIES_OF_PEER);
      }
      lastBytes = System.nanoTime();
      session =
          switch (carrier) {
            case YAMUX ->
                new YamuxSession(
                    offered ? Role.SERVER : Role.CLIENT, settings.yamux(), budget, this);
            case JSON ->
                new JsonSession(
                    offered ? JsonSession.Side.GATEWAY : JsonSession.Side.AGENT,
                    common.contains(Capability.DIAL_STATUS)
                        ? JsonSession.DialAnswers.GIVEN
                        : JsonSession.DialAnswers.NONE,
                    settings.yamux(),
                    budget,
                    this);
          };
      ping(session, System.nanoTime());
      wake();
    }

    void startBetweenNodes(Role role) {
      if (ended || session != null) {
        return;
      }
      acceptsStreams = role == Role.SERVER;
      headersOf = StreamHeaderDecoder.Sender.NODE;
      session = new YamuxSession(role, settings.yamux(), budget, this);
      ping(session, System.nanoTime());
      wake();
    }

    private void ping(MuxSession running, long now) {
      liveness.pinged(now);
      running.ping(now);
    }

    void tolerateSilence(Duration silence) {
      liveness.tolerate(silence);
    }

    void giveUp(String why) {
      end(
          new LinkEnd(LinkEnd.Cause.KEEPALIVE_TIMEOUT, why),
          new WebSocketMessage.Close(WebSocketMessage.Close.POLICY_VIOLATION, why));
      wake();
    }

    void probe() {
      if (session != null && !ended) {
        ping(session, System.nanoTime());
        wake();
      }
    }

    @Nullable LinkStream open(StreamHeader header, int listenerPort) {
      if (ended) {
        return null;
      }
      var stream = new LinkStream(link, memory);
      return switch (session) {
        case YamuxSession yamux ->
            switch (yamux.open(stream)) {
              case OpenResult.Refused _ -> null;
              case OpenResult.Opened(var opened) -> {
                stream.bind(opened);
                if (header.protocol() == Protocol.UDP) {
                  stream.keepFrames();
                }
                stream.write(header.encode());
                yield stream;
              }
            };
        case JsonSession json -> {
          JsonStream opened = json.open(header, stream);
          if (opened == null) {
            yield null;
          }
          stream.bind(opened);
          wake();
          yield stream;
        }
        case OriginalSession original -> {
          OriginalStream opened = original.open(header, listenerPort, stream, System.nanoTime());
          if (opened == null) {
            yield null;
          }
          stream.bind(opened);
          wake();
          yield stream;
        }
        case null, default -> null;
      };
    }

    void carryToOriginal(String prefix, OriginalPacing pacing) {
      if (!ended && session == null) {
        session = new OriginalSession(prefix, pacing, settings.yamux(), budget, this);
        lastBytes = System.nanoTime();
        ping(session, lastBytes);
        wake();
      }
    }

    void close(int code, String reason) {
      if (!ended) {
        end(new LinkEnd(LinkEnd.Cause.CLOSED, reason), new WebSocketMessage.Close(code, reason));
        wake();
      }
    }

    long rttNanos() {
      return session == null ? 0 : session.rttNanos();
    }

    /// There is something to send: send it from inside the graph, once for all of this turn.
    void wake() {
      if (!wakePending) {
        wakePending = true;
        wake.invoke(this);
      }
    }

    void wakeIfOutput() {
      boolean mayReadOn = session instanceof OriginalSession && !hasBeenPulled(in);
      if (mayReadOn || (session != null && session.hasOutput())) {
        wake();
      }
    }

    // --- the graph ---

    private void wakened() {
      wakePending = false;
      flush();
      readOn();
    }

    /// Reads, unless a session without flow control cannot take more.
    private void readOn() {
      if (!hasBeenPulled(in) && !isClosed(in) && !readingIsHeld()) {
        pull(in);
      }
    }

    /// Then the answer to a ping may be among what is not read.
    private boolean readingIsHeld() {
      return !ended && session instanceof OriginalSession original && !original.mayRead();
    }

    /// Comes back when a session that waits for a time has something to do.
    private void wakeWhenDue() {
      if (session instanceof OriginalSession original && !ended) {
        long now = System.nanoTime();
        Long due = original.dueNanos(now);
        if (due != null && (!duePending || due - dueAt < 0)) {
          duePending = true;
          dueAt = due;
          loop.schedule(
              Duration.ofNanos(Math.max(0, due - now)),
              () -> {
                duePending = false;
                wake();
              });
        }
      }
    }

    private void flush() {
      while (isAvailable(out)) {
        String text = messages.poll();
        if (text != null) {
          push(out, new WebSocketMessage.Text(text));
          continue;
        }
        WebSocketMessage next = nextOfSession();
        if (next != null) {
          push(out, next);
        } else if (closing != null) {
          push(out, closing);
          complete(out);
        } else {
          break;
        }
      }
      wakeWhenDue();
    }

    private @Nullable WebSocketMessage nextOfSession() {
      ByteBuffer[] last = goAway;
      goAway = null;
      if (last != null) {
        return new WebSocketMessage.Binary(last);
      }
      return switch (session) {
        case YamuxSession yamux -> {
          ByteBuffer[] batch = yamux.nextBatch(BATCH_BYTES, System.nanoTime());
          yield batch == null ? null : new WebSocketMessage.Binary(batch);
        }
        case JsonSession json -> encoded(json.next());
        case OriginalSession original -> encoded(original.next(System.nanoTime()));
        case null, default -> null;
      };
    }

    private @Nullable WebSocketMessage encoded(@Nullable ControlMessage message) {
      return switch (message) {
        case null -> null;
        case ControlMessage.InTunnel(TunnelMessage.Data data) -> {
          ControlCodec.DataText text = codec.encodeAround(data);
          yield new WebSocketMessage.Base64Text(text.before(), text.data(), text.after());
        }
        case ControlMessage other -> new WebSocketMessage.Text(codec.encode(other));
      };
    }

    @Override
    public void onPull() {
      flush();
    }

    @Override
    public void onPush() {
      WebSocketMessage message = grab(in);
      if (!ended) {
        switch (message) {
          case WebSocketMessage.Binary(var parts) -> bytes(parts[0]);
          case WebSocketMessage.Text(var utf8) -> text(utf8);
          case WebSocketMessage.Base64Text _ -> {
            // Outwards only.
          }
          case WebSocketMessage.Close(int code, String reason) ->
              end(
                  new LinkEnd(
                      LinkEnd.Cause.CLOSED_BY_PEER,
                      reason.isEmpty() ? "code " + code : "code " + code + ": " + reason),
                  new WebSocketMessage.Close(WebSocketMessage.Close.NORMAL, ""));
        }
      }
      flush();
      readOn();
    }

    private void bytes(ByteBuffer bytes) {
      if (!(session instanceof YamuxSession yamux)) {
        end(
            new LinkEnd(
                LinkEnd.Cause.WEBSOCKET_VIOLATION, "binary message before yamux was agreed"),
            new WebSocketMessage.Close(
                WebSocketMessage.Close.PROTOCOL_ERROR,
                "binary message before gateway_hello and gateway_hello_ack agreed on yamux"));
        return;
      }
      busy |= bytes.remaining() > BUSY_BYTES;
      lastBytes = System.nanoTime();
      try {
        int headers = yamux.onBytes(bytes, lastBytes);
        memory.giveBack(bytes, headers);
      } catch (ProtocolViolation e) {
        flush();
        goAway = yamux.nextBatch(BATCH_BYTES, lastBytes);
        violated(LinkEnd.Cause.YAMUX_VIOLATION, "yamux: ", e);
      }
    }

    private void violated(LinkEnd.Cause cause, String prefix, ProtocolViolation e) {
      end(
          new LinkEnd(cause, String.valueOf(e.getMessage())),
          new WebSocketMessage.Close(
              WebSocketMessage.Close.PROTOCOL_ERROR, prefix + e.getMessage()));
    }

    private void text(ByteBuffer utf8) {
      busy |= utf8.remaining() > BUSY_BYTES;
      ControlMessage message;
      try {
        message = codec.decode(utf8);
      } catch (MalformedMessage e) {
        end(
            new LinkEnd(LinkEnd.Cause.MALFORMED_MESSAGE, String.valueOf(e.getMessage())),
            new WebSocketMessage.Close(
                WebSocketMessage.Close.INVALID_PAYLOAD, String.valueOf(e.getMessage())));
        return;
      }
      if (ofSession(message)) {
        lastBytes = System.nanoTime();
        return;
      }
      switch (message) {
        case ControlMessage.InTunnel _ ->
            listener.refused(LinkListener.Refusal.UNEXPECTED_TUNNEL_MESSAGE);
        case ControlMessage.GatewayHello offer when !offered -> {
          hello = offer;
          listener.control(offer);
        }
        case ControlMessage.GatewayHelloAck ack when offered -> {
          start(ack);
          listener.control(ack);
        }
        default -> listener.control(message);
      }
    }

    /// Gives a message to the session; false when it is none of its business.
    private boolean ofSession(ControlMessage message) {
      long now = System.nanoTime();
      try {
        return switch (session) {
          case JsonSession json ->
              switch (message) {
                case ControlMessage.InTunnel(var content) -> {
                  json.onMessage(content, now);
                  yield true;
                }
                case ControlMessage.Ping ping -> json.onPing(ping);
                case ControlMessage.Pong pong -> json.onPong(pong, now);
                default -> false;
              };
          case OriginalSession original ->
              switch (message) {
                case ControlMessage.InTunnel(var content) -> {
                  original.onMessage(content, now);
                  yield true;
                }
                case ControlMessage.Pong pong -> original.onPong(pong, now);
                default -> false;
              };
          case null, default -> false;
        };
      } catch (ProtocolViolation e) {
        violated(LinkEnd.Cause.TUNNEL_VIOLATION, "tunnels: ", e);
        return true;
      }
    }

    @Override
    public void onUpstreamFinish() {
      end(new LinkEnd(LinkEnd.Cause.LOST, "the connection ended"), null);
      completeStage();
    }

    @Override
    public void onUpstreamFailure(@Nullable Throwable cause) {
      String detail = String.valueOf(cause == null ? null : cause.getMessage());
      end(
          new LinkEnd(
              cause instanceof WebSocketViolation
                  ? LinkEnd.Cause.WEBSOCKET_VIOLATION
                  : LinkEnd.Cause.LOST,
              detail),
          null);
      completeStage();
    }

    @Override
    public void onDownstreamFinish(@Nullable Throwable cause) {
      onUpstreamFailure(cause);
    }

    @Override
    public void onTimer(Object key) {
      if (ended) {
        // The peer had at least a second to read why; the socket is closed under what is left.
        if (ticksSinceEnd++ > 0) {
          completeStage();
        }
        return;
      }
      long now = System.nanoTime();
      for (Iterator<HeaderReader> all = headers.iterator(); all.hasNext(); ) {
        HeaderReader reader = all.next();
        if (now - reader.openedAt < settings.headerTimeout().toNanos()) {
          break;
        }
        all.remove();
        reader.yamux.reset();
        listener.refused(LinkListener.Refusal.STREAM_HEADER_TIMEOUT);
      }
      if (session != null) {
        listener.measured(sampler.sample(session));
        look(session, now);
      }
      flush();
    }

    private void tellSilence(boolean now) {
      if (now != silent) {
        silent = now;
        if (now) {
          listener.silent();
        } else {
          listener.speaksAgain();
        }
      }
    }

    /// A busy link measures its way every second, an idle one only shows that it lives.
    private void look(MuxSession running, long now) {
      var seen =
          new Liveness.Look(
              running.pingSentNanos(),
              lastBytes,
              busy ? Liveness.Traffic.BUSY : Liveness.Traffic.IDLE,
              readingIsHeld() ? Liveness.Reading.HELD : Liveness.Reading.READS);
      switch (liveness.look(now, seen)) {
        case Liveness.Verdict.Dead(var end) ->
            end(
                end,
                new WebSocketMessage.Close(WebSocketMessage.Close.POLICY_VIOLATION, end.detail()));
        case Liveness.Verdict.Silent(var send) -> {
          tellSilence(true);
          send(running, send, now);
        }
        case Liveness.Verdict.Speaks(var send) -> {
          tellSilence(false);
          send(running, send, now);
        }
      }
    }

    private void send(MuxSession running, Liveness.Send what, long now) {
      if (what.ping()) {
        busy = false;
        ping(running, now);
      }
      if (what.canary()) {
        sendCanary(now);
      }
    }

    /// A link that takes no more streams has none to spare for this: pings must do then.
    private void sendCanary(long now) {
      LinkStream canary = open(StreamHeader.CANARY, StreamHeader.CANARY.servicePort());
      if (canary != null) {
        liveness.canarySent(now);
        canary.attach(new CanaryWatch(canary));
        canary.finish();
      }
    }

    /// Waits for the end of the agent's answer, which must not be empty.
    private final class CanaryWatch implements Runnable {
      private final LinkStream canary;
      private boolean answered;
      private boolean over;

      CanaryWatch(LinkStream canary) {
        this.canary = canary;
      }

      @Override
      public void run() {
        while (canary.poll() != null) {
          answered = true;
        }
        boolean closed = canary.closeCause() != null;
        if (over || ended || !(canary.atEnd() || closed)) {
          return;
        }
        over = true;
        if (answered) {
          sampler.canary();
        } else if (!closed) {
          // An end without a word: whoever answers so does not serve streams.
          return;
        }
        liveness.canaryOver(System.nanoTime());
      }
    }

    private void end(LinkEnd end, WebSocketMessage.@Nullable Close close) {
      if (ended) {
        return;
      }
      ended = true;
      closing = close;
      messages.clear();
      headers.clear();
      if (session != null) {
        session.end();
      }
      if (end.cause() == LinkEnd.Cause.CLOSED) {
        untold = end;
      } else {
        listener.ended(end);
      }
    }

    /// An end of our own is told once the close frame is out: who waits for it may then end the
    /// process.
    @Override
    public void postStop() {
      end(new LinkEnd(LinkEnd.Cause.CLOSED, "stopped"), null);
      if (untold != null) {
        listener.ended(untold);
      }
    }

    // --- JsonListener ---

    @Override
    public void opened(JsonStream stream, StreamHeader header) {
      var accepted = new LinkStream(link, memory);
      accepted.bind(stream);
      stream.listen(accepted);
      listener.requested(accepted, header);
    }

    @Override
    public void faulty(TunnelFault fault) {
      listener.refused(LinkListener.Refusal.of(fault));
    }

    // --- SessionListener ---

    @Override
    public void opened(YamuxStream stream) {
      if (!acceptsStreams) {
        stream.listen(Ignored.INSTANCE);
        stream.reset();
        listener.refused(LinkListener.Refusal.FOREIGN_STREAM);
      } else {
        var reader = new HeaderReader(stream);
        headers.add(reader);
        stream.listen(reader);
        stream.accept();
      }
    }

    @Override
    public void goAway(GoAwayCode code) {
      // NORMAL: the session opens no more streams and those that run go on.
      if (code != GoAwayCode.NORMAL) {
        end(
            new LinkEnd(LinkEnd.Cause.CLOSED_BY_PEER, "yamux go-away: " + code),
            new WebSocketMessage.Close(WebSocketMessage.Close.NORMAL, ""));
      }
    }

    /// Collects the first bytes of a stream until they say what it is for.
    private final class HeaderReader implements StreamListener {
      final long openedAt = System.nanoTime();
      final YamuxStream yamux;
      private final StreamHeaderDecoder decoder = new StreamHeaderDecoder(headersOf);
      private @Nullable LinkStream ready;

      HeaderReader(YamuxStream yamux) {
        this.yamux = yamux;
      }

      @Override
      public void received(ByteBuffer bytes) {
        if (ready != null) {
          ready.received(bytes);
          return;
        }
        int before = bytes.remaining();
        try {
          StreamHeader header = decoder.feed(bytes);
          int used = before - bytes.remaining();
          memory.giveBack(bytes, used);
          yamux.consumed(used, System.nanoTime());
          if (header != null) {
            headers.remove(this);
            ready = new LinkStream(link, memory);
            ready.bind(yamux);
            if (header.protocol() == Protocol.UDP) {
              ready.keepFrames();
            }
            if (bytes.hasRemaining()) {
              ready.received(bytes);
            }
            listener.requested(ready, header);
          }
        } catch (MalformedMessage e) {
          headers.remove(this);
          yamux.reset();
          listener.refused(LinkListener.Refusal.BAD_STREAM_HEADER);
        }
      }

      @Override
      public void frameEnd() {
        if (ready != null) {
          ready.frameEnd();
        }
      }

      @Override
      public void writable() {
        if (ready != null) {
          ready.writable();
        }
      }

      @Override
      public void peerFinished() {
        if (ready != null) {
          ready.peerFinished();
        } else {
          headers.remove(this);
          yamux.reset();
          listener.refused(LinkListener.Refusal.BAD_STREAM_HEADER);
        }
      }

      @Override
      public void closed(CloseCause cause) {
        headers.remove(this);
        if (ready != null) {
          ready.closed(cause);
        }
      }
    }
  }

  /// For streams that are reset as soon as they appear.
  private enum Ignored implements StreamListener {
    INSTANCE;

    @Override
    public void received(ByteBuffer bytes) {}

    @Override
    public void writable() {}

    @Override
    public void peerFinished() {}

    @Override
    public void closed(CloseCause cause) {}
  }
}
