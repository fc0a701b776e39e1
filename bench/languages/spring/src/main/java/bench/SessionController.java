package bench;

import jakarta.servlet.http.HttpSession;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.springframework.context.annotation.Profile;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

@RestController
@Profile("!bare")
class SessionController {
  // The data of a session, as bench/servers/work.mjs has it.
  record Item(String sku, int qty) implements Serializable {}

  private static final List<Item> CART = List.of(
    new Item("mug-large-blue", 2),
    new Item("tea-assam-250", 1),
    new Item("kettle-1700-steel", 1),
    new Item("spoon-set-6", 3));

  private static final List<String> SEEN = List.of("mug-large-blue", "mug-small-red", "tea-assam-250", "tea-sencha-100");

  @GetMapping("/create")
  String create(HttpSession session) {
    session.setAttribute("theme", "dark");
    session.setAttribute("visits", 0);
    session.setAttribute("language", "en-GB");
    session.setAttribute("currency", "EUR");
    session.setAttribute("country", "Great Britain");
    session.setAttribute("cart", new ArrayList<>(CART));
    session.setAttribute("seen", new ArrayList<>(SEEN));
    return Answer.of("new");
  }

  @GetMapping("/read")
  String read(HttpSession session) {
    return Answer.of(session.getAttribute("theme"));
  }

  @GetMapping("/write")
  String write(HttpSession session) {
    var visits = (Integer) session.getAttribute("visits") + 1;
    session.setAttribute("visits", visits);
    return Answer.of(visits);
  }
}
