"""The distiller: builds block libraries by blockwise knowledge distillation."""
