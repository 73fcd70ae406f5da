/* Convolution and its two transposes, channels last; contracts in lzd_attrs.h.
 * x (n,h,w,c), weight (kh,kw,c,f), y (n,oh,ow,f). Taps outside the input are skipped. All sides fit 16 bits, strides and
 * paddings 8, so that i * sh + di - ph fits an int32_t. */
#include "lzd_attrs.h"

typedef struct window {
    uint32_t h, w, c, oh, ow, f, kh, kw, sh, sw, ph, pw;
} window;

LZD_INLINE window window_of(const uint32_t *v) /* the three kernels have the same attributes */
{
    const window s = {
        v[LZD_CONV2D_H],  v[LZD_CONV2D_W],  v[LZD_CONV2D_C],  v[LZD_CONV2D_OH], v[LZD_CONV2D_OW], v[LZD_CONV2D_F],
        v[LZD_CONV2D_KH], v[LZD_CONV2D_KW], v[LZD_CONV2D_SH], v[LZD_CONV2D_SW], v[LZD_CONV2D_PH], v[LZD_CONV2D_PW],
    };
    return s;
}

LZD_KERNEL void SUFFIX(lzd_k_conv2d)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_CONV2D_P_X], *weight = p[LZD_CONV2D_P_WEIGHT];
    T *out = p[LZD_CONV2D_P_OUT];
    const window s = window_of(v);
    for (uint32_t row = begin; row < end; row++) {
        const uint32_t n = row / s.oh, i = row - n * s.oh;
        for (uint32_t j = 0; j < s.ow; j++, out += s.f) {
            for (uint32_t first = 0; first < s.f; first += LZD_COLUMNS) {
                const uint32_t columns = s.f - first < LZD_COLUMNS ? s.f - first : LZD_COLUMNS;
                T sum[LZD_COLUMNS] = {0};
                for (uint32_t di = 0; di < s.kh; di++) {
                    const uint32_t r = i * s.sh + di - s.ph; /* wraps past h when it is above the input */
                    if (r >= s.h) {
                        continue;
                    }
                    for (uint32_t dj = 0; dj < s.kw; dj++) {
                        const uint32_t q = j * s.sw + dj - s.pw;
                        if (q >= s.w) {
                            continue;
                        }
                        const T *a = x + (((size_t)n * s.h + r) * s.w + q) * s.c;
                        const T *b = weight + ((size_t)di * s.kw + dj) * s.c * s.f + first;
                        for (uint32_t c = 0; c < s.c; c++, b += s.f) {
                            if (columns == LZD_COLUMNS) {
                                for (uint32_t f = 0; f < LZD_COLUMNS; f++) {
                                    sum[f] = FMA(a[c], b[f], sum[f]);
                                }
                            } else {
                                for (uint32_t f = 0; f < columns; f++) {
                                    sum[f] = FMA(a[c], b[f], sum[f]);
                                }
                            }
                        }
                    }
                }
                for (uint32_t f = 0; f < columns; f++) {
                    out[first + f] = sum[f];
                }
            }
        }
    }
}

LZD_KERNEL void SUFFIX(lzd_k_conv2d_grad_x)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *y = p[LZD_CONV2D_GRAD_X_P_Y], *weight = p[LZD_CONV2D_GRAD_X_P_WEIGHT];
    T *out = p[LZD_CONV2D_GRAD_X_P_OUT];
    const window s = window_of(v);
    for (uint32_t row = begin; row < end; row++) {
        const uint32_t n = row / s.h, r = row - n * s.h;
        for (uint32_t q = 0; q < s.w; q++) {
            for (uint32_t c = 0; c < s.c; c++) {
                T l[8] = {0};
                for (uint32_t di = 0; di < s.kh; di++) {
                    const uint32_t from_row = r + s.ph - di; /* = i * sh; wraps to something huge when negative */
                    const uint32_t i = from_row / s.sh;
                    if (i >= s.oh || i * s.sh != from_row) {
                        continue;
                    }
                    for (uint32_t dj = 0; dj < s.kw; dj++) {
                        const uint32_t from_column = q + s.pw - dj;
                        const uint32_t j = from_column / s.sw;
                        if (j >= s.ow || j * s.sw != from_column) {
                            continue;
                        }
                        const T *a = y + (((size_t)n * s.oh + i) * s.ow + j) * s.f;
                        const T *b = weight + (((size_t)di * s.kw + dj) * s.c + c) * s.f;
                        uint32_t f = 0;
                        for (; f + 8u <= s.f; f += 8u) {
                            for (uint32_t k = 0; k < 8u; k++) {
                                l[k] = FMA(a[f + k], b[f + k], l[k]);
                            }
                        }
                        for (uint32_t k = 0; f < s.f; f++, k++) {
                            l[k] = FMA(a[f], b[f], l[k]);
                        }
                    }
                }
                *out++ = ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
            }
        }
    }
}

LZD_KERNEL void SUFFIX(lzd_k_conv2d_grad_w)(void *const *p, const uint32_t *v, uint32_t begin, uint32_t end)
{
    const T *x = p[LZD_CONV2D_GRAD_W_P_X], *y = p[LZD_CONV2D_GRAD_W_P_Y];
    T *out = p[LZD_CONV2D_GRAD_W_P_OUT];
    const window s = window_of(v);
    const uint32_t batch = v[LZD_CONV2D_GRAD_W_N];
    for (uint32_t row = begin; row < end; row++, out += s.f) {
        const uint32_t tap = row / s.c, c = row - tap * s.c;
        const uint32_t di = tap / s.kw, dj = tap - di * s.kw;
        for (uint32_t first = 0; first < s.f; first += LZD_COLUMNS) {
            const uint32_t columns = s.f - first < LZD_COLUMNS ? s.f - first : LZD_COLUMNS;
            T sum[LZD_COLUMNS] = {0};
            for (uint32_t n = 0; n < batch; n++) {
                for (uint32_t i = 0; i < s.oh; i++) {
                    const uint32_t r = i * s.sh + di - s.ph;
                    if (r >= s.h) {
                        continue;
                    }
                    const T *a = x + ((size_t)n * s.h + r) * s.w * s.c + c;
                    const T *b = y + ((size_t)n * s.oh + i) * s.ow * s.f + first;
                    for (uint32_t j = 0; j < s.ow; j++, b += s.f) {
                        const uint32_t q = j * s.sw + dj - s.pw;
                        if (q >= s.w) {
                            continue;
                        }
                        const T value = a[(size_t)q * s.c];
                        if (columns == LZD_COLUMNS) {
                            for (uint32_t f = 0; f < LZD_COLUMNS; f++) {
                                sum[f] = FMA(value, b[f], sum[f]);
                            }
                        } else {
                            for (uint32_t f = 0; f < columns; f++) {
                                sum[f] = FMA(value, b[f], sum[f]);
                            }
                        }
                    }
                }
            }
            for (uint32_t f = 0; f < columns; f++) {
                out[first + f] = sum[f];
            }
        }
    }
}
