/* Reads a golden vector without a library, computes its first training step in plain loops, compares within its bounds.
   cc -DREAL=double -o read read.c -lm; ./read FILE [drop-eps]; drop-eps computes wrongly, REAL may be float. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { MOST = 4096 };
static double x[MOST], dy[MOST], gamma_[MOST], beta[MOST], mean[MOST], variance[MOST], got[4][MOST];
static char text[1 << 20]; static int judged, wrong;
static const char *find(const char *at, const char *key) { /* what follows the next such key */
  char quoted[64];
  at = at ? strstr(at, (snprintf(quoted, sizeof quoted, "\"%s\": ", key), quoted)) : NULL;
  return at ? at + strlen(quoted) : NULL;
}
static int part(const char *object, const char *key, double *out) { /* a list of an object; null becomes NaN */
  const char *at = object && *object == '{' ? find(object, key) : NULL;
  int count = 0, there = at && *at == '[' && at < strchr(object, '}');
  for (at = there ? at + 1 : "]"; *at != ']' && count < MOST; at += strcspn(at, ",]"), at += *at == ',')
    at += strspn(at, " \""), out[count++] = strncmp(at, "null", 4) ? strtod(at, NULL) : NAN;
  return count;
}
static REAL number(const char *from, const char *key) { return (REAL)strtod(find(from, key) + 1, NULL); }
static void compare(const char *from, const char *to, const char *name, const double *result) {
  double value[MOST], low[MOST] = {0}, tight[MOST];
  const char *at = find(from, name);
  int count = at && at < to ? part(at, "tight", tight) : 0; /* not every state has bounds */
  for (part(at, "values", value), part(at, "low", low); count--;) {
    judged += !isnan(tight[count]); /* a vacuous bound judges nothing */
    int right = isnan(tight[count]) || fabs(result[count] - value[count] - low[count]) <= tight[count];
    if (!right && !wrong++) printf("%s[%d]: expected %.17g, got %.17g\n", name, count, value[count], result[count]);
  }
}
int main(int argc, char **argv) {
  if (argc < 2 || !freopen(argv[1], "rb", stdin) || !fread(text, 1, sizeof text - 1, stdin)) return 2;
  const char *given = find(text, "parameters"), *step = strstr(text, "\"do\": \"train\""), *at = find(step, "x");
  int channels = atoi(find(text, "num_channels")), axis = atoi(find(text, "channel_axis"));
  double shape[8], size = 1, inner = 1;
  for (int c = 0; c < channels; c++) gamma_[c] = 1;
  for (int d = part(at, "shape", shape); d--;) size *= shape[d], inner *= d > axis ? shape[d] : 1;
  part(find(given, "gamma"), "values", gamma_), part(find(given, "beta"), "values", beta);
  part(at, "values", x), part(find(step, "dy"), "values", dy), part(find(step, "running_mean"), "values", mean);
  part(find(step, "running_var"), "values", variance);
  for (int c = 0; c < channels; c++) {
    REAL n = (REAL)(size / channels), m = 0, v = 0, dg = 0, db = 0, old = number(step, "old"), r;
#define EACH for (int i = 0; i < size; i++) if (i / (int)inner % channels == c)
    EACH m += (REAL)x[i] / n;
    EACH v += ((REAL)x[i] - m) * ((REAL)x[i] - m) / n;
    r = 1 / (REAL)sqrt(v + (argc > 2 ? 0 : number(text, "eps_used")));
    EACH got[0][i] = (REAL)gamma_[c] * (((REAL)x[i] - m) * r) + (REAL)beta[c];
    EACH db += (REAL)dy[i], dg += (REAL)dy[i] * (((REAL)x[i] - m) * r);
    EACH got[1][i] = (REAL)gamma_[c] * r * ((REAL)dy[i] - db / n - ((REAL)x[i] - m) * r * (dg / n));
    got[2][c] = dg, got[3][c] = db, mean[c] = old * (REAL)mean[c] + number(step, "new") * m;
    variance[c] = old * (REAL)variance[c] + number(step, "new") * (strstr(text, "unbiased") ? v * n / (n - 1) : v);
  }
  const char *names[] = {"y", "dx", "dgamma", "dbeta"}, *after = find(step, "after"), *end = text + sizeof text;
  for (int q = 0; q < 4; q++) compare(find(step, "expected"), after, names[q], got[q]);
  compare(after, end, "running_mean", mean), compare(after, end, "running_var", variance);
  return printf("%s: %d judged, %d wrong\n", argv[1], judged, wrong), wrong ? 1 : judged ? 0 : 3;
}
