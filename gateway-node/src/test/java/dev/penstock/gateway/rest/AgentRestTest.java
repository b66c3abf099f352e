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
import dev.penstock.protocol.yamux.ByteBudget;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.net.InetSocketAddress;
import java.util.Map;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.headers.Authorization;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AgentRestTest {
  private final ActorTestKit kit = ActorTestKit.create();

  @AfterEach
  void end() {
    kit.shutdownTestKit();
  }

  @Test
  void aRegistrationThatIsNotAnsweredIsNoFaultOfTheAgent() {
    var gone = kit.<Tunnels.Command>spawn(Behaviors.stopped());
    kit.createTestProbe().expectTerminated(gone);
    var rest =
        new AgentRest(
            kit.system(),
            new Tokens(Map.of(Secret.of("s3cret"), "lab")),
            new KubernetesClaims(),
            gone,
            "127.0.0.1",
            new BadPeers(new GatewayMeters(new PrometheusRegistry(), new ByteBudget(1))));
    var answer =
        Patiently.get(
            rest.handle(
                HttpRequest.POST("/api/v1/clusters/agent/lab/tunnels")
                    .addHeader(Authorization.oauth2("s3cret"))
                    .withEntity(GatewayLab.tunnel("redis", 6379).build().encode()),
                InetSocketAddress.createUnresolved("agent", 1)));
    assertThat(answer.status().intValue()).isEqualTo(503);
  }
}
