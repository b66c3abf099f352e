package dev.penstock.agent.kubernetes.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.function.Supplier;
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
    GatewayState gateway = world.gatewayState();
    var discovery = new Discovery(world.options());
    assertThat(best(() -> new Discovery(world.options()).look(view, gateway, world.now())))
        .isLessThan(Duration.ofMillis(500));
    assertThat(best(() -> discovery.look(view, gateway, world.now())))
        .as("after one of the same cluster")
        .isLessThan(Duration.ofMillis(150));
  }

  /// Of the processor's time, which a busy machine does not make longer.
  private static Duration best(Supplier<Discovered> look) {
    var threads = ManagementFactory.getThreadMXBean();
    long best = Long.MAX_VALUE;
    for (int i = 0; i < 10; i++) {
      long before = threads.getCurrentThreadCpuTime();
      Discovered found = look.get();
      best = Math.min(best, threads.getCurrentThreadCpuTime() - before);
      assertThat(found.tunnels()).hasSize(5000);
      assertThat(World.isQuiet(found)).isTrue();
    }
    return Duration.ofNanos(best);
  }
}
