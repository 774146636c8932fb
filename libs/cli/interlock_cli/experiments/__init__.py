"""`interlock experiments`: runs as branches of the repository with their code, reports included."""
