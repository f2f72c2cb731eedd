"""The rival metrics magiqa is compared with: PIQE, NIQE, IL-NIQE, each from its description."""
