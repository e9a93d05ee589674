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
  /** Letters of the built-in font only: A-Z, 0-9 and some signs; anything else becomes a blank box, so that
   * it is seen. */
  Label(std::vector<std::string> texts, Edge edge) : texts_(std::move(texts)), edge_(edge) {}

  size_t size() const { return texts_.size(); }
  /** Rows of the picture that the strip covers, half-open. */
  void Rows(int32_t width, int32_t height, int32_t* from, int32_t* to) const;
  void Draw(const Picture& picture, size_t text);
  /** Mean distance of the strip in a decoded picture from what Draw() put there, in levels of luma. */
  double Deviation(const Picture& picture, size_t text);

 private:
  const std::vector<uint8_t>& Strip(int32_t width, int32_t height, size_t text);
  std::vector<std::string> texts_;
  Edge edge_;
  std::vector<uint8_t> strip_;  // luma of the text last drawn: texts change once a second
  size_t drawn_ = SIZE_MAX;
};

}  // namespace tredive
