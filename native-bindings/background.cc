#include "background.h"

#include <algorithm>
#include <cmath>

#include "smooth.h"

namespace tredive {

namespace {

/** Strays up to `kSlack + kTimes * noise` are the scene. The noise is what nine in ten looks stay below. */
constexpr float kSlack = 4, kTimes = 2;
constexpr float kLeastNoise = 0.7f;
/** Seconds in which noise is forgotten, and in which it grows. */
constexpr float kCalmS = 40, kRoughS = 4;
/** Seconds in which repetitive motion is got used to, and forgotten. */
constexpr float kUsedToS = 3, kForgottenS = 150;
/** Seconds in which returns are forgotten, and how many of them make a pixel noisy where little strays, and
 * where much does: people who pass one after the other return more seldom than twice in five seconds. */
constexpr float kReturnsS = 20, kReturnsOfLittle = 1.4f, kReturnsOfMuch = 8;

}  // namespace

BackgroundPlane::BackgroundPlane(int32_t w, int32_t h, int32_t side, float unmoved)
    : width(w), height(h), cell(side), zero(unmoved) {
  const size_t pixels = static_cast<size_t>(w) * h;
  for (std::vector<float>* each : {&now, &scene, &rest, &restBefore, &returns, &used})
    each->assign(pixels, 0);
  noise.assign(pixels, kLeastNoise);
  for (std::vector<uint8_t>* each : {&strength, &strengthBefore, &moved}) each->assign(pixels, 0);
}

void BackgroundPlane::Prime(const std::vector<const uint8_t*>& pictures) {
  std::vector<std::vector<float>> seen;
  for (const uint8_t* picture : pictures) {
    seen.emplace_back(count());
    Blur(picture, width, height, seen.back().data());
  }
  std::vector<float> values;
  for (size_t i = 0; i < count(); i++) {
    values.clear();
    for (const std::vector<float>& each : seen) values.push_back(each[i]);
    scene[i] = Median(&values, 0);
    for (float& value : values) value = std::abs(value - scene[i]);
    // Twice the median stray is about what nine in ten stay below, and no passer-by gets into it.
    noise[i] = std::max(kLeastNoise, 2 * Median(&values, 0));
  }
  // A few pictures give a rough idea of a pixel's noise, all pixels together a good one.
  values = noise;
  const float usual = Median(&values, kLeastNoise);
  for (float& each : noise) each = std::max(each, usual);
  for (std::vector<float>* each : {&rest, &restBefore, &returns, &used})
    std::fill(each->begin(), each->end(), 0.0f);
  std::fill(strength.begin(), strength.end(), 0);
}

void BackgroundPlane::Compare(const Light& light, int plane, const BackgroundPlane& luma) {
  rest.swap(restBefore);
  strength.swap(strengthBefore);
  const float shift = zero - light.gain * zero + light.offset[plane];
  float shifts[256];
  for (int level = 0; level < 256; level++)
    shifts[level] = shift + light.Shift(plane, static_cast<float>(level));
  const int32_t step = luma.width == width ? 1 : 2;
  for (int32_t y = 0; y < height; y++) {
    const size_t row = static_cast<size_t>(y) * width;
    const float* bright = &luma.scene[static_cast<size_t>(std::min(luma.height - 1, y * step)) * luma.width];
    for (int32_t x = 0; x < width; x++) {
      const int level = std::clamp(static_cast<int>(bright[x * step]), 0, 255);
      rest[row + x] = now[row + x] - (light.gain * scene[row + x] + shifts[level]);
    }
  }
  for (size_t i = 0; i < count(); i++) {
    const float stray = std::abs(rest[i]), limit = kSlack + kTimes * noise[i] + used[i];
    strength[i] = static_cast<uint8_t>((stray > limit) + (stray > 1.6f * limit));
    moved[i] = std::abs(rest[i] - restBefore[i]) > limit;
  }
}

void BackgroundPlane::Learn(const std::vector<uint8_t>& learn, const std::vector<uint8_t>& noisy, float gain,
                            float meanRate, float dtS) {
  const float meanStep = meanRate / std::max(0.1f, gain);
  const float calm = std::min(0.5f, dtS / kCalmS), rough = std::min(0.5f, dtS / kRoughS);
  for (size_t i = 0; i < count(); i++) {
    const float stray = std::abs(rest[i]);
    const float by = (stray - noise[i]) * (stray > noise[i] ? rough : calm);
    const float learned = learn[i] && stray < kSlack + kTimes * noise[i] ? 1.0f : 0.0f;
    scene[i] += learned * meanStep * rest[i];
    noise[i] = std::max(kLeastNoise, noise[i] + learned * by);
  }
  const float fade = std::exp(-dtS / kReturnsS), forget = std::exp(-dtS / kForgottenS);
  const float getUsed = std::min(1.0f, dtS / kUsedToS);
  for (size_t i = 0; i < count(); i++) {
    const bool back = (strengthBefore[i] != 0) & (strength[i] == 0) & (noisy[i] != 0);
    returns[i] = returns[i] * fade + (back ? 1.0f : 0.0f);
    const float enough = noisy[i] == 2 ? kReturnsOfMuch : kReturnsOfLittle;
    const float more = 1.3f * std::abs(rest[i]) - used[i];
    const bool grows = (noisy[i] != 0) & (returns[i] >= enough) & (more > 0);
    used[i] = used[i] * forget + (grows ? more * getUsed : 0.0f);
  }
}

void BackgroundPlane::Adopt(size_t pixel, float sceneNow) {
  scene[pixel] = sceneNow;
  rest[pixel] = restBefore[pixel] = 0;
  strength[pixel] = moved[pixel] = 0;
}

std::vector<CellSums> SumCells(const Grid& grid, const std::vector<BackgroundPlane>& planes) {
  std::vector<CellSums> all(grid.count());
  const BackgroundPlane& luma = planes[0];
  for (int32_t y = 0; y < luma.height; y++) {
    const float* scene = &luma.scene[static_cast<size_t>(y) * luma.width];
    const float* now = &luma.now[static_cast<size_t>(y) * luma.width];
    for (int32_t left = 0; left < luma.width; left += kCell) {
      CellSums& sums = all[grid.At(left / kCell, y / kCell)];
      for (int32_t x = left; x < std::min(luma.width, left + kCell); x++) {
        sums.scene += scene[x];
        sums.now += now[x];
        sums.sceneScene += scene[x] * scene[x];
        sums.nowNow += now[x] * now[x];
        sums.sceneNow += scene[x] * now[x];
        sums.count += 1;
      }
    }
  }
  const BackgroundPlane& u = planes[1];
  const BackgroundPlane& v = planes[2];
  for (int32_t y = 0; y < u.height; y++) {
    for (int32_t x = 0; x < u.width; x++) {
      const size_t i = static_cast<size_t>(y) * u.width + x;
      CellSums& sums = all[grid.At(x / u.cell, y / u.cell)];
      sums.sceneU += u.scene[i];
      sums.nowU += u.now[i];
      sums.sceneV += v.scene[i];
      sums.nowV += v.now[i];
      sums.chroma += 1;
    }
  }
  return all;
}

}  // namespace tredive
