package dev.penstock.protocol.link;

import static dev.penstock.protocol.net.Hands.bytes;
import static dev.penstock.protocol.net.Hands.takeText;
import static dev.penstock.protocol.net.TestNode.PATIENCE;
import static dev.penstock.protocol.net.TestNode.await;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.control.CarrierChoice;
import dev.penstock.protocol.control.ControlCodec;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.GatewayHello;
import dev.penstock.protocol.control.ControlMessage.GatewayHelloAck;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.link.LinkListener.Refusal;
import dev.penstock.protocol.link.LinkStream.DialReport;
import dev.penstock.protocol.net.ConnectionLost;
import dev.penstock.protocol.net.Detach;
import dev.penstock.protocol.net.EventLoops.Transport;
import dev.penstock.protocol.net.Hands;
import dev.penstock.protocol.net.HttpServer;
import dev.penstock.protocol.net.TestNode;
import dev.penstock.protocol.net.WebSocketClient;
import dev.penstock.protocol.net.WebSocketMessage;
import dev.penstock.protocol.net.WebSocketMessage.Base64Text;
import dev.penstock.protocol.net.WebSocketMessage.Binary;
import dev.penstock.protocol.net.WebSocketMessage.Close;
import dev.penstock.protocol.net.WebSocketMessage.Text;
import dev.penstock.protocol.net.WebSocketSettings;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.SessionSettings;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.apache.pekko.NotUsed;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Keep;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Two links joined by a real WebSocket, and one link whose other end is held by hand.
final class LinkStageTest {
  private static final StreamHeader HEADER =
      new StreamHeader(Protocol.TCP, 5432, "postgres", "default", "tunnel-1", null);
  private static final LinkSettings DEFAULTS = LinkSettings.defaults();

  /// A peer has two seconds for everything: the stage looks at its timers once a second.
  private static final LinkSettings IMPATIENT =
      new LinkSettings(
          SessionSettings.defaults(),
          1000,
          DEFAULTS.sessionBudget(),
          Duration.ofMillis(100),
          Duration.ofMillis(100),
          Duration.ofMillis(100));

  private static TestNode node;

  private final ByteBudget budget = new ByteBudget(1L << 30);
  private final Told gatewayTold = new Told();
  private final Told agentTold = new Told();
  private @Nullable HttpServer server;
  private Link gateway;
  private Link agent;

  @BeforeAll
  static void start() {
    node =
        TestNode.start(
            io.netty.channel.epoll.Epoll.isAvailable() ? Transport.EPOLL : Transport.NIO);
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @AfterEach
  void everythingIsGivenBack() {
    if (gateway != null) {
      gateway.close(Close.NORMAL, "the test is over");
    }
    if (agent != null) {
      agent.close(Close.NORMAL, "the test is over");
    }
    Awaitility.await().atMost(PATIENCE).untilAsserted(() -> assertThat(budget.used()).isEqualTo(0));
    if (server != null) {
      server.close();
    }
  }

  private static GatewayHello hello() {
    return hello(CarrierChoice.YAMUX);
  }

  private static GatewayHello hello(CarrierChoice choice) {
    return new GatewayHello(
        choice.allows(Carrier.YAMUX),
        GatewayHello.MIN_WINDOW,
        Duration.ofSeconds(30),
        Duration.ofSeconds(10),
        choice.capabilities(Set.of()));
  }

  /// Joins two links by a WebSocket over loopback and agrees on what carries streams.
  private void linked(Carrier carrier, LinkSettings settings) throws Exception {
    server = new HttpServer(node, null, WebSocketSettings.defaults());
    var client =
        await(
            WebSocketClient.connect(
                node.loops(),
                node.loop(),
                server.uri("/link"),
                Map.of(),
                null,
                WebSocketSettings.defaults()));
    var accepted = server.accepted();
    gateway =
        accepted
            .flow()
            .joinMat(new LinkStage(accepted.loop(), settings, budget, gatewayTold), Keep.right())
            .withAttributes(accepted.loop().attributes())
            .run(node.actors());
    agent =
        client
            .flow()
            .joinMat(new LinkStage(client.loop(), settings, budget, agentTold), Keep.right())
            .withAttributes(client.loop().attributes())
            .run(node.actors());
    var choice = carrier == Carrier.YAMUX ? CarrierChoice.YAMUX : CarrierChoice.JSON;
    gateway.offer(hello(CarrierChoice.AUTO));
    assertThat(agentTold.nextControl()).isInstanceOf(GatewayHello.class);
    agent.accept(new GatewayHelloAck(choice.allows(Carrier.YAMUX), choice.capabilities(Set.of())));
    assertThat(gatewayTold.nextControl()).isInstanceOf(GatewayHelloAck.class);
  }

  private static <T> T on(Link link, Supplier<T> work) {
    var result = new CompletableFuture<T>();
    link.loop()
        .execute(() -> {
          try {
            result.complete(work.get());
          } catch (RuntimeException | AssertionError e) {
            result.completeExceptionally(e);
          }
        });
    return await(result);
  }

  private LinkStream opened() {
    LinkStream stream = on(gateway, () -> gateway.open(HEADER));
    assertThat(stream).isNotNull();
    return stream;
  }

  private Hands<ByteBuffer> carry(LinkStream stream, Told told) {
    return carry(stream, DialReport.NONE, List.of(), told);
  }

  private Hands<ByteBuffer> carry(
      LinkStream stream, DialReport report, List<ByteBuffer> first, Told told) {
    return Hands.on(
        stream.flow(report, first, new Traffic(), told), stream.link().loop(), node.actors());
  }

  private static Flow<ByteBuffer, ByteBuffer, NotUsed> flow(LinkStream stream, Told told) {
    return stream.flow(DialReport.NONE, List.of(), new Traffic(), told);
  }

  @ParameterizedTest
  @EnumSource
  void aStreamCarriesBytesBothWaysAndEndsWhenBothEnded(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var here = carry(opened(), gatewayTold);
    var request = agentTold.nextRequest();
    assertThat(request.header()).isEqualTo(HEADER);
    var there = carry(request.stream(), agentTold);
    here.put(bytes("question"));
    assertThat(takeText(there, 8)).isEqualTo("question");
    here.finish();
    assertThat(there.take()).isNull();
    there.put(bytes("late answer"));
    assertThat(takeText(here, 11)).isEqualTo("late answer");
    there.finish();
    assertThat(here.take()).isNull();
    assertThat(gatewayTold.nextStreamEnd())
        .isEqualTo(new StreamEnd(StreamEnd.Cause.FINISHED, 8, 11, null, List.of()));
    assertThat(agentTold.nextStreamEnd())
        .isEqualTo(new StreamEnd(StreamEnd.Cause.FINISHED, 11, 8, null, List.of()));
    Awaitility.await().untilAsserted(() -> assertThat(on(gateway, gateway::rttNanos)).isPositive());
  }

  @ParameterizedTest
  @EnumSource
  void theAgentsSideMayEndFirst(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var here = carry(opened(), gatewayTold);
    var there = carry(agentTold.nextRequest().stream(), agentTold);
    there.put(bytes("banner"));
    there.finish();
    assertThat(takeText(here, 99)).isEqualTo("banner(end)");
    here.put(bytes("still sending"));
    assertThat(takeText(there, 13)).isEqualTo("still sending");
    here.finish();
    assertThat(there.take()).isNull();
    assertThat(agentTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.FINISHED);
    assertThat(gatewayTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.FINISHED);
  }

  @ParameterizedTest
  @EnumSource
  void bulkIsEchoedWhole(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var here = carry(opened(), gatewayTold);
    flow(agentTold.nextRequest().stream(), agentTold)
        .join(Flow.<ByteBuffer>create())
        .withAttributes(agent.loop().attributes())
        .run(node.actors());
    int size = 32 * 1024 * 1024;
    var writer =
        Thread.ofVirtual()
            .start(() -> {
              for (int i = 0; i < size / 65_536; i++) {
                byte[] block = new byte[65_536];
                java.util.Arrays.fill(block, (byte) i);
                here.put(ByteBuffer.wrap(block));
              }
              here.finish();
            });
    var position = new AtomicLong();
    long length =
        here.drain(block -> {
          for (int i = block.position(); i < block.limit(); i++) {
            if (block.get(i) != (byte) (position.getAndIncrement() / 65_536)) {
              throw new AssertionError("a wrong byte at " + position);
            }
          }
          return block.remaining();
        });
    writer.join();
    assertThat(length).isEqualTo(size);
    assertThat(agentTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.FINISHED);
  }

  @ParameterizedTest
  @EnumSource
  void aFailureHereResetsThere(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var here = carry(opened(), gatewayTold);
    var there = carry(agentTold.nextRequest().stream(), agentTold);
    here.fail(new ConnectionLost("the client is gone"));
    assertThatThrownBy(there::take).isInstanceOf(ConnectionLost.class);
    assertThat(gatewayTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_HERE);
    assertThat(agentTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_BY_PEER);
  }

  @ParameterizedTest
  @EnumSource
  void aFailureThereResetsHere(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var here = carry(opened(), gatewayTold);
    var there = carry(agentTold.nextRequest().stream(), agentTold);
    there.cancel();
    assertThatThrownBy(here::take).isInstanceOf(ConnectionLost.class);
    assertThat(agentTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_HERE);
    assertThat(gatewayTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_BY_PEER);
  }

  @ParameterizedTest
  @EnumSource
  void aReportedDialIsToldAndItsBytesFollow(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var here = carry(opened(), DialReport.EXPECTED, List.of(), gatewayTold);
    here.put(bytes("early"));
    var there =
        carry(
            agentTold.nextRequest().stream(),
            DialReport.NONE,
            List.of(DialStatus.connected().encode()),
            agentTold);
    there.put(bytes("banner"));
    assertThat(takeText(here, 6)).isEqualTo("banner");
    assertThat(takeText(there, 5)).isEqualTo("early");
    assertThat(gatewayTold.connected.poll()).isNotNull();
    here.finish();
    there.finish();
    assertThat(here.take()).isNull();
    var end = gatewayTold.nextStreamEnd();
    assertThat(end.fromPeer()).isEqualTo(6);
    assertThat(end.early()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void aFailedDialDetachesAndTheEarlyBytesCanBeSaidAgain(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var here = carry(opened(), DialReport.EXPECTED, List.of(), gatewayTold);
    here.put(bytes("early "));
    here.put(bytes("bytes"));
    var first = agentTold.nextRequest().stream();
    on(
        first.link(),
        () -> {
          first.refuse(new DialStatus(DialStatus.Code.REFUSED, "no one there").encode());
          return true;
        });
    assertThatThrownBy(here::take).isInstanceOf(Detach.class);
    var end = gatewayTold.nextStreamEnd();
    assertThat(end.cause()).isEqualTo(StreamEnd.Cause.DIAL_FAILED);
    assertThat(end.dial()).isEqualTo(new DialStatus(DialStatus.Code.REFUSED, "no one there"));
    assertThat(textOf(end.early())).isEqualTo("early bytes");

    var again = carry(opened(), DialReport.EXPECTED, end.early(), gatewayTold);
    again.put(bytes(" and more"));
    var there =
        carry(
            agentTold.nextRequest().stream(),
            DialReport.NONE,
            List.of(DialStatus.connected().encode()),
            agentTold);
    assertThat(takeText(there, 20)).isEqualTo("early bytes and more");
    again.finish();
    assertThat(there.take()).isNull();
    there.finish();
    assertThat(again.take()).isNull();
    assertThat(gatewayTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.FINISHED);
  }

  private static String textOf(List<ByteBuffer> parts) {
    var all = new StringBuilder();
    parts.forEach(part -> all.append(Hands.text(part)));
    return all.toString();
  }

  @ParameterizedTest
  @EnumSource
  void aRefusalAfterTheEndOfTheOtherSideLeavesNothingBehind(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var here = carry(opened(), gatewayTold);
    here.put(bytes("all I have to say"));
    here.finish();
    var refused = agentTold.nextRequest().stream();
    Awaitility.await()
        .atMost(PATIENCE)
        .until(() -> on(agent, () -> refused.peek() != null && refused.mux().unread() == 17));
    Awaitility.await().atMost(PATIENCE).until(() -> budget.used() > 0);
    on(
        agent,
        () -> {
          refused.refuse(bytes("no"));
          return true;
        });
    assertThat(takeText(here, 99)).isEqualTo("no(end)");
    Awaitility.await()
        .atMost(PATIENCE)
        .untilAsserted(() -> assertThat(on(agent, refused::closeCause)).isNotNull());
    assertThat(budget.used()).isEqualTo(0);
  }

  @ParameterizedTest
  @EnumSource
  void earlyBytesSurviveALinkThatWasLostBeforeTheyWereSaidAgain(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    LinkStream stream = opened();
    agent.close(Close.GOING_AWAY, "bye");
    assertThat(gatewayTold.nextEnd().cause()).isEqualTo(LinkEnd.Cause.CLOSED_BY_PEER);
    var early = List.of(bytes("one "), bytes("two "), bytes("three"));
    var here = carry(stream, DialReport.EXPECTED, early, gatewayTold);
    assertThatThrownBy(here::take).isInstanceOf(Detach.class);
    var end = gatewayTold.nextStreamEnd();
    assertThat(end.cause()).isEqualTo(StreamEnd.Cause.DIAL_FAILED);
    assertThat(textOf(end.early())).isEqualTo("one two three");
  }

  @ParameterizedTest
  @EnumSource
  void demandStopsWhenTooMuchWasSaidBeforeTheDial(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var here = carry(opened(), DialReport.EXPECTED, List.of(), gatewayTold);
    int taken = 0;
    var last = here.offer(ByteBuffer.allocate(4096)).toCompletableFuture();
    for (boolean going = true; going; ) {
      try {
        last.get(300, java.util.concurrent.TimeUnit.MILLISECONDS);
        taken++;
        assertThat(taken).isLessThan(20);
        last = here.offer(ByteBuffer.allocate(4096)).toCompletableFuture();
      } catch (java.util.concurrent.TimeoutException _) {
        going = false;
      }
    }
    var there =
        carry(
            agentTold.nextRequest().stream(),
            DialReport.NONE,
            List.of(DialStatus.connected().encode()),
            agentTold);
    here.finish();
    await(last);
    assertThat(there.drain(ByteBuffer::remaining)).isEqualTo((taken + 1L) * 4096);
    there.finish();
    assertThat(here.take()).isNull();
  }

  @ParameterizedTest
  @EnumSource
  void aLostLinkEndsAllItsStreams(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var streams = new ArrayList<Hands<ByteBuffer>>();
    for (int i = 0; i < 3; i++) {
      streams.add(carry(opened(), gatewayTold));
      carry(agentTold.nextRequest().stream(), agentTold);
    }
    agent.close(Close.GOING_AWAY, "bye");
    for (var stream : streams) {
      assertThatThrownBy(stream::take).isInstanceOf(ConnectionLost.class);
      assertThat(gatewayTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.LINK_LOST);
      assertThat(agentTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.LINK_LOST);
    }
    assertThat(agentTold.nextEnd()).isEqualTo(new LinkEnd(LinkEnd.Cause.CLOSED, "bye"));
    assertThat(gatewayTold.nextEnd())
        .isEqualTo(new LinkEnd(LinkEnd.Cause.CLOSED_BY_PEER, "code 1001: bye"));
    assertThat(on(gateway, () -> gateway.open(HEADER) == null)).isTrue();
    assertThat(gatewayTold.ends).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void aStreamNobodyReadsDoesNotStallTheOthers(Carrier carrier) throws Exception {
    linked(carrier, DEFAULTS);
    var stuck = carry(opened(), gatewayTold);
    agentTold.nextRequest();
    int written = 0;
    var last = stuck.offer(ByteBuffer.allocate(65_536)).toCompletableFuture();
    for (boolean going = true; going; ) {
      try {
        last.get(300, java.util.concurrent.TimeUnit.MILLISECONDS);
        written++;
        assertThat(written).isLessThan(20);
        last = stuck.offer(ByteBuffer.allocate(65_536)).toCompletableFuture();
      } catch (java.util.concurrent.TimeoutException _) {
        going = false;
      }
    }
    var here = carry(opened(), gatewayTold);
    flow(agentTold.nextRequest().stream(), agentTold)
        .join(Flow.<ByteBuffer>create())
        .withAttributes(agent.loop().attributes())
        .run(node.actors());
    for (int i = 0; i < 100; i++) {
      here.put(ByteBuffer.allocate(65_536));
      for (int left = 65_536; left > 0; ) {
        left -= here.take().remaining();
      }
    }
    assertThat(budget.used()).isPositive();
  }

  @Test
  void aStreamInJsonOpenedByTheAgentIsRefused() throws Exception {
    linked(Carrier.JSON, DEFAULTS);
    assertThat(on(agent, () -> agent.open(HEADER) == null)).isTrue();
    agent.send(new ControlMessage.InTunnel(new TunnelMessage.Start("7", HEADER, 0, 1)));
    assertThat(gatewayTold.nextRefusal()).isEqualTo(Refusal.FOREIGN_STREAM);
    carry(opened(), gatewayTold);
    assertThat(agentTold.nextRequest().header()).isEqualTo(HEADER);
  }

  @Test
  void messagesOfTunnelsAreRefusedWhereTheyWereNotAgreedAndTheLinkGoesOn() throws Exception {
    linked(Carrier.YAMUX, DEFAULTS);
    agent.send(new ControlMessage.InTunnel(new TunnelMessage.Close("7", "service_closed", "")));
    assertThat(gatewayTold.nextRefusal()).isEqualTo(Refusal.UNEXPECTED_TUNNEL_MESSAGE);
    carry(opened(), gatewayTold);
    assertThat(agentTold.nextRequest().header()).isEqualTo(HEADER);
  }

  @Test
  void dataThatIsNoBase64ResetsItsStreamAndNoOther() throws Exception {
    var peer = held(DEFAULTS);
    gateway.offer(hello(CarrierChoice.JSON));
    assertThat(peer.take()).isInstanceOf(Text.class);
    peer.put(
        new Text(
            """
            {"type":"gateway_hello_ack","payload":{"use_yamux":false,"capabilities":["credits"]}}\
            """));
    assertThat(gatewayTold.nextControl()).isInstanceOf(GatewayHelloAck.class);
    var first = carry(opened(), gatewayTold);
    var second = carry(opened(), gatewayTold);
    for (String id : List.of("1", "2")) {
      peer.put(
          new Text(
              """
              {"type":"tcp_tunnel_data","request_id":"%s","payload":{"seq":0,"data":"%s"}}\
              """
                  .formatted(id, id.equals("1") ? "a*c=" : "b2s=")));
    }
    assertThat(takeText(second, 2)).isEqualTo("ok");
    assertThatThrownBy(first::take).isInstanceOf(ConnectionLost.class);
    assertThat(gatewayTold.nextRefusal()).isEqualTo(Refusal.UNREADABLE_TUNNEL_MESSAGE);
    assertThat(gatewayTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.PEER_FAULT);
    assertThat(gatewayTold.ends).isEmpty();
    peer.cancel();
  }

  @Test
  void aStreamOpenedByTheAgentIsReset() throws Exception {
    linked(Carrier.YAMUX, DEFAULTS);
    var foreign = on(agent, () -> agent.open(HEADER));
    var there = carry(foreign, agentTold);
    assertThatThrownBy(there::take).isInstanceOf(ConnectionLost.class);
    assertThat(gatewayTold.nextRefusal()).isEqualTo(Refusal.FOREIGN_STREAM);
    // The link goes on.
    carry(opened(), gatewayTold);
    assertThat(agentTold.nextRequest().header()).isEqualTo(HEADER);
  }

  @Test
  void beforeYamuxIsAgreedNoStreamCanBeOpened() {
    var peer = held(DEFAULTS);
    assertThat(on(gateway, () -> gateway.open(HEADER) == null)).isTrue();
    peer.finish();
    assertThat(gatewayTold.nextEnd().cause()).isEqualTo(LinkEnd.Cause.LOST);
  }

  // --- one link whose peer is held by hand ---

  private Hands<WebSocketMessage> held(LinkSettings settings) {
    Flow<WebSocketMessage, WebSocketMessage, Link> stage =
        Flow.fromGraph(new LinkStage(node.loop(), settings, budget, gatewayTold));
    var link = new CompletableFuture<Link>();
    var hands =
        Hands.on(
            stage.mapMaterializedValue(made -> {
              link.complete(made);
              return NotUsed.getInstance();
            }),
            node.loop(),
            node.actors());
    gateway = await(link);
    return hands;
  }

  /// A peer that agreed on yamux with the gateway's end.
  private Hands<WebSocketMessage> heldWithYamux(LinkSettings settings) {
    var peer = held(settings);
    gateway.offer(hello());
    assertThat(peer.take()).isInstanceOf(Text.class);
    peer.put(
        new Text(
            "{\"type\":\"gateway_hello_ack\",\"timestamp\":\"2026-01-01T00:00:00Z\","
                + "\"payload\":{\"use_yamux\":true}}"));
    assertThat(gatewayTold.nextControl()).isInstanceOf(GatewayHelloAck.class);
    return peer;
  }

  /// A peer that is the gateway of an agent's end.
  private Hands<WebSocketMessage> heldAsAgent(LinkSettings settings) {
    var peer = held(settings);
    peer.put(new Text(new ControlCodec().encode(hello())));
    assertThat(gatewayTold.nextControl()).isInstanceOf(GatewayHello.class);
    gateway.accept(new GatewayHelloAck(true, Set.of()));
    assertThat(peer.take()).isInstanceOf(Text.class);
    return peer;
  }

  private static Binary frame(int type, int flags, int id, int length, byte... payload) {
    var bytes = ByteBuffer.allocate(12 + payload.length);
    bytes.put((byte) 0).put((byte) type).putShort((short) flags).putInt(id).putInt(length);
    bytes.put(payload);
    return new Binary(new ByteBuffer[] {bytes.flip()});
  }

  /// The bytes of all binary messages up to the close message, and that.
  private record Last(ByteBuffer yamux, @Nullable Close close) {}

  private static Last readAll(Hands<WebSocketMessage> peer) {
    var all = ByteBuffer.allocate(100_000);
    while (true) {
      switch (peer.take()) {
        case null -> {
          return new Last(all.flip(), null);
        }
        case Binary(var parts) -> {
          for (var part : parts) {
            all.put(part.duplicate());
          }
        }
        case Close close -> {
          return new Last(all.flip(), close);
        }
        case Text _, Base64Text _ -> {}
      }
    }
  }

  @Test
  void aMalformedControlMessageEndsTheLinkWith1007() {
    for (String text : List.of("{", "[]", "{\"type\":7}", "\u0000")) {
      var peer = held(DEFAULTS);
      peer.put(new Text(text));
      assertThat(readAll(peer).close().code()).isEqualTo(1007);
      assertThat(peer.take()).isNull();
      assertThat(gatewayTold.nextEnd().cause()).isEqualTo(LinkEnd.Cause.MALFORMED_MESSAGE);
      peer.finish();
    }
  }

  @Test
  void bytesBeforeYamuxIsAgreedEndTheLinkWith1002() {
    var peer = held(DEFAULTS);
    peer.put(frame(2, 1, 0, 1));
    assertThat(readAll(peer).close().code()).isEqualTo(1002);
    assertThat(gatewayTold.nextEnd().cause()).isEqualTo(LinkEnd.Cause.WEBSOCKET_VIOLATION);
  }

  @Test
  void aYamuxViolationIsAnsweredWithGoAwayAnd1002() {
    var peer = heldWithYamux(DEFAULTS);
    peer.put(frame(9, 0, 0, 0));
    var last = readAll(peer);
    assertThat(last.close().code()).isEqualTo(1002);
    assertThat(last.close().reason()).startsWith("yamux: ");
    var goAway = last.yamux().position(last.yamux().limit() - 12);
    assertThat(goAway.getInt()).isEqualTo(0x00030000);
    assertThat(goAway.getInt()).isEqualTo(0);
    assertThat(goAway.getInt()).isEqualTo(1);
    var end = gatewayTold.nextEnd();
    assertThat(end.cause()).isEqualTo(LinkEnd.Cause.YAMUX_VIOLATION);
  }

  @Test
  void theFirstBytesRightBehindTheAcknowledgementAreTaken() {
    var peer = heldWithYamux(DEFAULTS);
    peer.put(frame(2, 1, 0, 77));
    var answer = ((Binary) peer.take());
    assertThat(answer.parts().length).isPositive();
  }

  @Test
  void aStreamWithABadHeaderIsResetAndTheLinkGoesOn() {
    var peer = heldAsAgent(DEFAULTS);
    peer.put(frame(0, 1, 2, 1, (byte) 99));
    assertThat(gatewayTold.nextRefusal()).isEqualTo(Refusal.BAD_STREAM_HEADER);
    peer.put(frame(0, 1 | 4, 4, 1, (byte) 1));
    assertThat(gatewayTold.nextRefusal()).isEqualTo(Refusal.BAD_STREAM_HEADER);
    var header = HEADER.encode();
    byte[] encoded = new byte[header.remaining()];
    header.get(encoded);
    for (int i = 0; i < encoded.length; i++) {
      peer.put(frame(0, i == 0 ? 1 : 0, 6, 1, encoded[i]));
    }
    assertThat(gatewayTold.nextRequest().header()).isEqualTo(HEADER);
    assertThat(gatewayTold.ends).isEmpty();
  }

  @Test
  void bytesRightBehindTheHeaderBelongToTheStream() {
    var peer = heldAsAgent(DEFAULTS);
    var encoded = HEADER.encode();
    byte[] payload = new byte[encoded.remaining() + 5];
    encoded.get(payload, 0, payload.length - 5);
    System.arraycopy("hello".getBytes(UTF_8), 0, payload, payload.length - 5, 5);
    peer.put(frame(0, 1, 2, payload.length, payload));
    var there = carry(gatewayTold.nextRequest().stream(), gatewayTold);
    assertThat(takeText(there, 5)).isEqualTo("hello");
    there.cancel();
  }

  @Test
  void aStreamThatNeverSaysWhatItIsForIsReset() {
    var settings =
        new LinkSettings(
            DEFAULTS.yamux(),
            1000,
            DEFAULTS.sessionBudget(),
            DEFAULTS.keepAliveInterval(),
            DEFAULTS.keepAliveTimeout(),
            Duration.ofMillis(100));
    var peer = heldAsAgent(settings);
    peer.put(frame(1, 1, 2, 0));
    assertThat(gatewayTold.nextRefusal()).isEqualTo(Refusal.STREAM_HEADER_TIMEOUT);
    assertThat(gatewayTold.ends).isEmpty();
  }

  @Test
  void aPeerThatAnswersNoPingLosesTheLink() {
    var peer = heldWithYamux(IMPATIENT);
    assertThat(readAll(peer).close().code()).isEqualTo(Close.POLICY_VIOLATION);
    assertThat(gatewayTold.nextEnd().cause()).isEqualTo(LinkEnd.Cause.KEEPALIVE_TIMEOUT);
  }

  @Test
  void aPeerThatIsToleratedLongerKeepsTheLink() {
    var peer = heldWithYamux(IMPATIENT);
    gateway.tolerateSilence(Duration.ofMinutes(1));
    Awaitility.await().atMost(PATIENCE).until(() -> gatewayTold.silences.contains("silent"));
    assertThat(gatewayTold.ends).isEmpty();
    peer.put(frame(2, 2, 0, 1));
    Awaitility.await().atMost(PATIENCE).until(() -> gatewayTold.silences.contains("speaks again"));
    assertThat(gatewayTold.ends).isEmpty();
  }

  @Test
  void aLinkThatIsGivenUpTellsThePeerWhy() {
    var peer = heldWithYamux(DEFAULTS);
    gateway.giveUp("dead");
    var last = readAll(peer).close();
    assertThat(last.code()).isEqualTo(Close.POLICY_VIOLATION);
    assertThat(last.reason()).isEqualTo("dead");
    assertThat(gatewayTold.nextEnd())
        .isEqualTo(new LinkEnd(LinkEnd.Cause.KEEPALIVE_TIMEOUT, "dead"));
  }

  @Test
  void aPeerThatDoesNotReadControlMessagesLosesTheLink() {
    held(DEFAULTS);
    for (int i = 0; i < LinkStage.MAX_WAITING_MESSAGES + 10; i++) {
      gateway.send(new ControlMessage.HeartbeatAck());
    }
    assertThat(gatewayTold.nextEnd().cause()).isEqualTo(LinkEnd.Cause.NOT_READING);
  }

  @Test
  void aGoAwayOfThePeerEndsTheLinkUnlessItIsNormal() {
    var peer = heldWithYamux(DEFAULTS);
    peer.put(frame(3, 0, 0, 0));
    Awaitility.await()
        .atMost(PATIENCE)
        .until(() -> on(gateway, () -> gateway.open(HEADER) == null));
    assertThat(gatewayTold.ends).isEmpty();
    peer.put(frame(3, 0, 0, 2));
    assertThat(gatewayTold.nextEnd().cause()).isEqualTo(LinkEnd.Cause.CLOSED_BY_PEER);
  }

  @Test
  void aFailedConnectionIsALostLink() {
    var peer = heldWithYamux(DEFAULTS);
    var stream = carry(opened(), gatewayTold);
    peer.fail(new ConnectionLost("reset"));
    assertThat(gatewayTold.nextEnd()).isEqualTo(new LinkEnd(LinkEnd.Cause.LOST, "reset"));
    assertThatThrownBy(stream::take).isInstanceOf(ConnectionLost.class);
    assertThat(gatewayTold.nextStreamEnd().cause()).isEqualTo(StreamEnd.Cause.LINK_LOST);
  }
}
