package bench;

import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** The work of the benchmark on Spring Boot: bare|memory|redis PORT. REDIS_URL names the server of the mode redis. */
@SpringBootApplication
public class Server {
  public static void main(String[] args) {
    var mode = args[0];
    var application = new SpringApplication(Server.class);
    application.setAdditionalProfiles(mode);
    application.setDefaultProperties(Map.of(
      "server.port", args[1],
      "spring.data.redis.url", System.getenv().getOrDefault("REDIS_URL", "redis://127.0.0.1:6379")));
    application.run();
  }
}
