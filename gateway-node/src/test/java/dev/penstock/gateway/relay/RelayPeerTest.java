package dev.penstock.gateway.relay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.Secret;
import dev.penstock.gateway.Patiently;
import dev.penstock.gateway.links.Links;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.gateway.observe.RelayMeters;
import dev.penstock.node.NodeSystem;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.LinkListener;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.link.LinkStage;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.link.StreamObserver;
import dev.penstock.protocol.link.Traffic;
import dev.penstock.protocol.net.BareLinks;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.Role;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.SpawnProtocol;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.stream.SystemMaterializer;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// One node's relay port, towards another node that is the wire protocol and nothing else.
class RelayPeerTest {
  private static final Secret SECRET = Secret.of("0123456789abcdef");

  private final NodeSystem node = NodeSystem.start("relay", 2);
  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final ByteBudget budget = new ByteBudget(1L << 20);
  private final CompletableFuture<LinkEnd> ended = new CompletableFuture<>();
  private InetSocketAddress relay;

  @BeforeEach
  void start() {
    var meters = new GatewayMeters(new PrometheusRegistry(), budget);
    var bound = new CompletableFuture<InetSocketAddress>();
    var settings =
        new RelaySettings(
            "b",
            "penstock",
            SECRET,
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
            null,
            LinkSettings.defaults(),
            RelaySettings.Limits.defaults());
    var behavior =
        Relay.create(
            new Relay.Setup(
                settings,
                _ -> List.of(),
                new Links(8),
                node.loops(),
                Duration.ZERO,
                Duration.ofMinutes(1),
                budget,
                meters,
                new RelayMeters(registry),
                new BadPeers(meters)),
            bound);
    Patiently.get(
        AskPattern.<SpawnProtocol.Command, ActorRef<Relay.Command>>ask(
            node.actors(),
            replyTo -> new SpawnProtocol.Spawn<>(behavior, "relay", Props.empty(), replyTo),
            Duration.ofSeconds(10),
            node.actors().scheduler()));
    relay = Patiently.get(bound);
  }

  @AfterEach
  void end() {
    node.close();
  }

  private Link link() {
    var loop = node.loops().get(0);
    var greeted =
        Patiently.get(
            BareLinks.connect(
                node.loops(),
                loop,
                "127.0.0.1",
                relay.getPort(),
                null,
                new RelayPreface.Calling(
                    new RelayPreface.Self("penstock", "a", 1, SECRET), "b", 0, new byte[32]),
                Duration.ofSeconds(10)));
    var link = new CompletableFuture<Link>();
    loop.run(() -> {
      var running =
          greeted
              .connection()
              .flow()
              .joinMat(
                  new LinkStage(loop, LinkSettings.defaults(), new ByteBudget(1 << 20), new Ends()),
                  Keep.right())
              .withAttributes(loop.attributes())
              .run(SystemMaterializer.get(node.actors()).materializer());
      running.startBetweenNodes(Role.CLIENT);
      link.complete(running);
    });
    return Patiently.get(link);
  }

  private final class Ends implements LinkListener {
    @Override
    public void control(ControlMessage message) {}

    @Override
    public void requested(LinkStream stream, StreamHeader header) {}

    @Override
    public void refused(Refusal refusal) {}

    @Override
    public void ended(LinkEnd end) {
      ended.complete(end);
    }
  }

  private static StreamHeader header(Protocol protocol) {
    var caller =
        new CallerAddress(
            new InetSocketAddress("192.0.2.7", 4711),
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 15432));
    return new StreamHeader(protocol, 5432, "postgres", "db", "tcp-1", caller);
  }

  /// What the node answers to a stream.
  private StreamEnd open(Link link, StreamHeader header) {
    var result = new CompletableFuture<StreamEnd>();
    link.loop()
        .run(() ->
            Flow.<ByteBuffer, ByteBuffer>fromSinkAndSource(Sink.ignore(), Source.maybe())
                .join(
                    link.open(header)
                        .flow(
                            LinkStream.DialReport.EXPECTED,
                            List.of(),
                            new Traffic(),
                            new StreamObserver() {
                              @Override
                              public void connected() {}

                              @Override
                              public void ended(StreamEnd end) {
                                result.complete(end);
                              }
                            }))
                .withAttributes(link.loop().attributes())
                .run(SystemMaterializer.get(node.actors()).materializer()));
    return Patiently.get(result);
  }

  private double rejected(String reason) {
    return registry.scrape(name -> name.equals("penstock_gateway_relay_rejected_total")).stream()
        .flatMap(snapshot -> snapshot.getDataPoints().stream())
        .filter(point -> reason.equals(point.getLabels().get("reason")))
        .mapToDouble(point ->
            ((io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot) point)
                .getValue())
        .sum();
  }

  @ParameterizedTest
  @EnumSource(Protocol.class)
  void aStreamThatWasRelayedBeforeIsRefusedWithAReason(Protocol protocol) {
    var end = open(link(), header(protocol).relayed(new StreamHeader.Relayed("lab", 2)));
    assertThat(end.dial())
        .isEqualTo(new DialStatus(DialStatus.Code.FAILED, "hops: more than 1 (expected: 1)"));
    Patiently.until(() -> rejected("hops") == 1);
  }

  @ParameterizedTest
  @EnumSource(Protocol.class)
  void aStreamOfAClusterWithoutALinkIsSentBack(Protocol protocol) {
    var end = open(link(), header(protocol).relayed(new StreamHeader.Relayed("lab", 1)));
    assertThat(RelayAnswer.of(end.dial()).kind()).isEqualTo(RelayAnswer.Kind.NO_LINK);
  }

  @Test
  void aHeaderForAnAgentIsNoneForANodeAndTheLinkGoesOn() {
    var link = link();
    assertThat(open(link, header(Protocol.TCP)).cause()).isEqualTo(StreamEnd.Cause.DIAL_FAILED);
    Patiently.until(() -> rejected("bad_stream") == 1);
    assertThat(ended).isNotDone();
    var end = open(link, header(Protocol.TCP).relayed(new StreamHeader.Relayed("lab", 1)));
    assertThat(RelayAnswer.of(end.dial()).kind()).isEqualTo(RelayAnswer.Kind.NO_LINK);
  }
}
