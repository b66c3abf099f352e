package dev.penstock.agent.kubernetes.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class DiscoveryScaleTest {
  @Test
  void aThousandGatewaysWithFiveThousandRoutesAreLookedAtInAMoment() {
    var world = World.of(Samples.CLASS, Samples.SERVICE);
    for (int g = 0; g < 1000; g++) {
      var listeners = new String[5];
      for (int l = 0; l < 5; l++) {
        listeners[l] = "name: l" + l + ", port: " + (1000 + l) + ", protocol: TCP";
      }
      world.apply(Samples.gateway(listeners).replace("name: db", "name: g" + g));
      for (int l = 0; l < 5; l++) {
        world.apply(
            Samples.ROUTE
                .replace("name: postgres}", "name: r" + g + "-" + l + "}")
                .replace("name: db, sectionName: pg", "name: g" + g + ", sectionName: l" + l));
        world.granted("tcp-lab:gateway:default:g" + g + ":l" + l, "gw.example.com:" + (1000 + l));
      }
    }
    world.settle();

    ClusterView view = world.view();
    Duration best = Duration.ofDays(1);
    for (int i = 0; i < 5; i++) {
      long before = System.nanoTime();
      Discovered found =
          new Discovery(world.options()).look(view, world.gatewayState(), world.now());
      Duration took = Duration.ofNanos(System.nanoTime() - before);
      best = took.compareTo(best) < 0 ? took : best;
      assertThat(found.tunnels()).hasSize(5000);
      assertThat(World.isQuiet(found)).isTrue();
    }
    // Room for a machine that is busy with other things.
    assertThat(best).isLessThan(Duration.ofSeconds(2));
    System.out.println("look " + best);
  }
}
