package dev.penstock.agent.kubernetes.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
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

  private static Notice notice(String message) {
    return new Notice(
        new ObjectRef(Kind.GATEWAY, "default", "db"), "uid", Notice.Level.WARNING, "R", message);
  }
}
