"""What a team deploys: container images, and files made from the table of the deployment."""
