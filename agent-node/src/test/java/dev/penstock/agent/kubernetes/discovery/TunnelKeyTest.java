package dev.penstock.agent.kubernetes.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.protocol.control.Protocol;
import java.util.LinkedHashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TunnelKeyTest {
  @Test
  void anIdTellsProtocolClusterNamespaceNameAndListener() {
    assertThat(key("lab", Kind.GATEWAY, "databases", "postgres", "pg").id())
        .isEqualTo("tcp-lab:gateway:databases:postgres:pg");
  }

  @Test
  void noTwoKeysHaveOneId() {
    Set<String> ids = new LinkedHashSet<>();
    int keys = 0;
    for (String cluster : new String[] {"a", "a-b", "a.b", "b"}) {
      for (Kind kind : new Kind[] {Kind.GATEWAY, Kind.SERVICE}) {
        for (String namespace : new String[] {"a", "b", "a-b"}) {
          for (String name : new String[] {"a", "b", "a:b", "a.b", "a-b", "x".repeat(253)}) {
            for (String section :
                new String[] {"a", "b", "a-b", "", "a:b", "a b", "y".repeat(253)}) {
              for (Protocol protocol : Protocol.values()) {
                keys++;
                ids.add(
                    new TunnelKey(cluster, protocol, new ObjectRef(kind, namespace, name), section)
                        .id());
              }
            }
          }
        }
      }
    }

    assertThat(ids).hasSize(keys).allMatch(id -> id.matches("[A-Za-z0-9._:/-]{1,253}"));
  }

  private static TunnelKey key(
      String cluster, Kind kind, String namespace, String name, String section) {
    return new TunnelKey(cluster, Protocol.TCP, new ObjectRef(kind, namespace, name), section);
  }
}
