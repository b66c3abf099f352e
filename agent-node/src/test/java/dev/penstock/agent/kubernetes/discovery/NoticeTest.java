package dev.penstock.agent.kubernetes.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectReader.Read;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class NoticeTest {
  @Test
  void theKeyOfANoticeIsThatOfEveryAgent() {
    assertThat(notice("a").key()).isEqualTo(notice("a").key()).matches("[0-9a-f]{16}");
    assertThat(notice("a").key()).isNotEqualTo(notice("b").key());
  }

  @Test
  void aMessageIsAsLongAsTheApiTakes() {
    assertThat(notice("x".repeat(5000)).message()).hasSize(Notice.MAX_MESSAGE);
  }

  @Test
  void oneLookHasManyNoticesAndNotMore() {
    var unreadable = new ArrayList<Read.Unreadable>();
    for (int i = 0; i < Discovery.MAX_NOTICES + 7; i++) {
      unreadable.add(
          new Read.Unreadable(new ObjectRef(Kind.GATEWAY, "default", "g" + i), "uid" + i, "x"));
    }

    Discovered found =
        new Discovery(new World().options())
            .look(
                new ClusterView(Map.of(), List.of(), unreadable),
                new World().gatewayState(),
                World.START);

    assertThat(found.notices()).hasSize(Discovery.MAX_NOTICES);
    assertThat(found.noticesLeftOut()).isEqualTo(7);
  }

  private static Notice notice(String message) {
    return new Notice(
        new ObjectRef(Kind.GATEWAY, "default", "db"), "uid", Notice.Level.WARNING, "R", message);
  }
}
