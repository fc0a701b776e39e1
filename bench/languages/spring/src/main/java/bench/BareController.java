package bench;

import java.util.concurrent.atomic.AtomicInteger;
import org.springframework.context.annotation.Profile;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

@RestController
@Profile("bare")
class BareController {
  private final AtomicInteger visits = new AtomicInteger();

  @GetMapping("/read")
  String read() {
    return Answer.of("dark");
  }

  @GetMapping("/write")
  String write() {
    return Answer.of(visits.incrementAndGet());
  }
}
