package dev.penstock.gateway.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.Secret;
import dev.penstock.gateway.GatewayLab;
import dev.penstock.gateway.Patiently;
import dev.penstock.gateway.auth.Tokens;
import dev.penstock.gateway.links.KubernetesClaims;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.gateway.tunnels.Tunnels;
import dev.penstock.protocol.control.Problem;
import dev.penstock.protocol.yamux.ByteBudget;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.http.javadsl.model.HttpHeader;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.headers.Authorization;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class AgentRestTest {
  private static final String TUNNELS = "/api/v1/clusters/agent/lab/tunnels";

  private final ActorTestKit kit = ActorTestKit.create();

  @AfterEach
  void end() {
    kit.shutdownTestKit();
  }

  @Test
  void aRegistrationThatIsNotAnsweredIsNoFaultOfTheAgent() {
    var gone = kit.<Tunnels.Command>spawn(Behaviors.stopped());
    kit.createTestProbe().expectTerminated(gone);
    assertThat(answer(rest(kit.system(), gone), registration()).status().intValue()).isEqualTo(503);
  }

  static List<HttpRequest> calls() {
    return List.of(
        HttpRequest.GET(TUNNELS), HttpRequest.DELETE(TUNNELS + "/redis"), registration());
  }

  @ParameterizedTest
  @MethodSource("calls")
  void aNodeThatHasEndedSendsCallersElsewhere(HttpRequest call) {
    var rest = rest(kit.system(), kit.spawn(Behaviors.ignore()));
    kit.system().terminate();
    Patiently.get(kit.system().getWhenTerminated());
    HttpResponse answer = answer(rest, call);
    assertThat(answer.status().intValue()).isEqualTo(503);
    assertThat(answer.getHeader("Retry-After").map(HttpHeader::value)).contains("1");
    assertThat(answer.entity().getContentType().toString()).isEqualTo(Problem.MEDIA_TYPE);
  }

  @Test
  void aFaultOfTheGatewayIsAnsweredAsOne() {
    HttpResponse answer = answer(rest(kit.system(), null), HttpRequest.GET(TUNNELS));
    assertThat(answer.status().intValue()).isEqualTo(500);
    assertThat(answer.entity().getContentType().toString()).isEqualTo(Problem.MEDIA_TYPE);
  }

  private static HttpRequest registration() {
    return HttpRequest.POST(TUNNELS).withEntity(GatewayLab.tunnel("redis", 6379).build().encode());
  }

  private static HttpResponse answer(AgentRest rest, HttpRequest call) {
    return Patiently.get(
        rest.handle(
            call.addHeader(Authorization.oauth2("s3cret")),
            InetSocketAddress.createUnresolved("agent", 1)));
  }

  private static AgentRest rest(ActorSystem<?> system, ActorRef<Tunnels.Command> tunnels) {
    return new AgentRest(
        system,
        new Tokens(Map.of(Secret.of("s3cret"), "lab")),
        new KubernetesClaims(),
        tunnels,
        "127.0.0.1",
        new BadPeers(new GatewayMeters(new PrometheusRegistry(), new ByteBudget(1))));
  }
}
