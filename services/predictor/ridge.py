"""Ridge regression with an unpenalised intercept, and its exact cross-validation, by one SVD.

    minimise over b, w:   |t - b - X w|^2 + S strength |w|^2          S samples; sklearn's alpha = S * strength

With the SVD of the centred design, Xc = U diag(s) V', the residuals are t - t_hat = D t with

    D = (I - 1 1'/S - U U') + U diag(a / (s^2 + a)) U',     a = S strength

and the sample i left out is predicted (a held fixed) without a refit: t_i - t_loo_i = (D t)_i / D_ii
[Golub, Heath, Wahba 1979; Hastie et al., ESL 7.10]; a group G left out together, likewise by
t_G - t_out_G = D_GG^-1 (D t)_G. Writing D this way, not as I - H, keeps the ratio
accurate where the fit interpolates and both sides of it vanish: fewer samples than coefficients is the
usual case here.

Shapes: S samples, P columns, R rank, L strengths, T targets, G groups of m samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_RANK_TOLERANCE = 1e-10
_JITTER = 1e-14
_MOST_NUMBERS = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """The design, decomposed once and used for every strength and every target."""

    mean_P: np.ndarray
    U_SR: np.ndarray
    s_R: np.ndarray
    Vt_RP: np.ndarray

    @classmethod
    def of(cls, X_SP: np.ndarray) -> Decomposition:
        """Decomposes the (S, P) design; directions without variance are dropped."""
        mean_P = X_SP.mean(axis=0)
        U, s, Vt = np.linalg.svd(X_SP - mean_P, full_matrices=False)
        kept = s > _RANK_TOLERANCE * max(float(s[0]) if s.size else 0.0, 1e-300)
        return cls(mean_P=mean_P, U_SR=U[:, kept], s_R=s[kept], Vt_RP=Vt[kept])

    def fit(self, t_S: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
        """(intercept, coefficients (P,)) at one strength."""
        t_mean = float(t_S.mean())
        shrunk_R = self.s_R / (self.s_R**2 + len(t_S) * strength)
        w_P = self.Vt_RP.T @ (shrunk_R * (self.U_SR.T @ (t_S - t_mean)))
        return t_mean - float(self.mean_P @ w_P), w_P

    def leave_one_out(self, t_S: np.ndarray, strengths_L: np.ndarray) -> np.ndarray:
        """(L, S): for each strength, every sample as predicted by the fit on all the others."""
        shrink_LR, residual_LS = self._residuals(t_S, strengths_L)
        diagonal_LS = shrink_LR @ (self.U_SR**2).T
        if not self._interpolates:
            diagonal_LS += np.maximum(1 - 1 / len(t_S) - (self.U_SR**2).sum(axis=1), 0.0)
        return t_S - residual_LS / np.maximum(diagonal_LS, 1e-300)

    def leave_groups_out(self, T_TS: np.ndarray, strengths_L: np.ndarray, rows_Gm: np.ndarray) -> np.ndarray:
        """(T, L, G, m): for each target and strength, the samples `rows_Gm` of each group as predicted by the
        fit without the group. At least one sample must be left."""
        residuals = [self._residuals(t_S, strengths_L) for t_S in T_TS]
        shrink_LR = residuals[0][0]
        residual_TLS = np.stack([residual_LS for _, residual_LS in residuals])
        (G, m), (L, R) = rows_Gm.shape, shrink_LR.shape
        predicted = np.empty((len(T_TS), L, G, m))
        piece = max(1, _MOST_NUMBERS // max(1, L * m * R))
        for start in range(0, G, piece):
            rows = rows_Gm[start : start + piece]
            U_gmR = self.U_SR[rows]
            D_gLmm = (U_gmR[:, None] * shrink_LR[:, None]) @ U_gmR[:, None].swapaxes(-1, -2)
            if not self._interpolates:
                D_gLmm += (np.eye(m) - 1 / len(self.U_SR) - U_gmR @ U_gmR.swapaxes(-1, -2))[:, None]
            scale_gL = np.trace(D_gLmm, axis1=-2, axis2=-1)
            D_gLmm += (_JITTER * scale_gL + 1e-300)[..., None, None] * np.eye(m)
            left_out_gLmT = np.linalg.solve(D_gLmm, residual_TLS[..., rows].transpose(2, 1, 3, 0))
            predicted[:, :, start : start + piece] = T_TS[:, None, rows] - left_out_gLmT.transpose(3, 1, 0, 2)
        return predicted

    @property
    def _interpolates(self) -> bool:
        """Whether nothing is outside the span of the columns; rounding must not pretend that something is."""
        return self.U_SR.shape[1] >= len(self.U_SR) - 1

    def _residuals(self, t_S: np.ndarray, strengths_L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(a / (s^2 + a) (L, R), the residuals D t (L, S)) for each strength."""
        a_L = len(t_S) * strengths_L
        shrink_LR = a_L[:, None] / (self.s_R**2 + a_L[:, None])
        centred_S = t_S - t_S.mean()
        along_R = self.U_SR.T @ centred_S
        residual_LS = (shrink_LR * along_R) @ self.U_SR.T
        if not self._interpolates:
            residual_LS += centred_S - self.U_SR @ along_R
        return shrink_LR, residual_LS
