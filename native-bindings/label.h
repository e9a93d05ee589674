#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "masking.h"

namespace tredive {

/** A line of text burnt in as light letters on a dark strip along the top or bottom edge of the picture. */
class Label {
 public:
  enum class Edge { kTop, kBottom };
  /**
   * Letters of the built-in font only: A-Z, 0-9 and some signs; anything else becomes a blank box, so that it
   * is seen. `longest`: letters in the longest text there will be, by which the size of all is chosen; what
   * is longer is cut.
   */
  Label(Edge edge, size_t longest) : edge_(edge), longest_(longest) {}

  /** Rows of the picture that the strip covers, half-open. */
  void Rows(int32_t width, int32_t height, int32_t* from, int32_t* to) const;
  void Draw(const Picture& picture, const std::string& text);
  /** Mean distance of the strip in a decoded picture from what Draw() put there, in levels of luma. */
  double Deviation(const Picture& picture, const std::string& text);

 private:
  const std::vector<uint8_t>& Strip(int32_t width, int32_t height, const std::string& text);
  Edge edge_;
  size_t longest_;
  std::vector<uint8_t> strip_;  // luma of the text last drawn: texts change once a second
  std::string drawn_;
};

}  // namespace tredive
