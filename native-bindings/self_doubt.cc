#include "self_doubt.h"

#include <algorithm>

namespace tredive {

namespace {

constexpr float kHopelessS = 1, kStillS = 2;

/** The share of cells with foreground along that edge of the picture where there is least. */
float LeastAtAnEdge(const Grid& grid, const std::vector<uint8_t>& shares) {
  const auto shareOf = [&](int32_t fromCol, int32_t toCol, int32_t fromRow, int32_t toRow) {
    int32_t set = 0, cells = 0;
    for (int32_t row = fromRow; row < toRow; row++) {
      for (int32_t col = fromCol; col < toCol; col++, cells++) set += shares[grid.At(col, row)] > 0;
    }
    return static_cast<float>(set) / static_cast<float>(cells);
  };
  return std::min({shareOf(0, grid.cols, 0, 2), shareOf(0, grid.cols, grid.rows - 2, grid.rows),
                   shareOf(0, 2, 0, grid.rows), shareOf(grid.cols - 2, grid.cols, 0, grid.rows)});
}

}  // namespace

bool SelfDoubt::Judge(const Foreground& foreground, const CameraWatch& camera, float dtS) {
  size_t all = 0, moving = 0;
  const size_t pixels = foreground.pixels().size();
  for (size_t i = 0; i < pixels; i++) {
    all += foreground.pixels()[i];
    moving += foreground.moved()[i];
  }
  if (all * 2 > pixels) {
    hopelessS_ = std::min(3.0f, hopelessS_ + dtS);
  } else if (all * 3 < pixels) {
    hopelessS_ = std::max(0.0f, hopelessS_ - 2 * dtS);
  }
  if (hopelessS_ >= kHopelessS || camera.lostForLong()) reliable_ = false;
  if (hopelessS_ == 0 && !camera.lost()) reliable_ = true;
  // A camera that was turned and rests shows another scene up to every edge, which a person does not.
  const bool rests = all * 2 > pixels && moving * 20 < pixels &&
                     LeastAtAnEdge(foreground.grid(), foreground.shares()) > 0.35f;
  stillS_ = rests ? stillS_ + dtS : 0;
  if (stillS_ < kStillS) return false;
  stillS_ = 0;
  return true;
}

void SelfDoubt::Forget() {
  hopelessS_ = stillS_ = 0;
  reliable_ = true;
}

}  // namespace tredive
