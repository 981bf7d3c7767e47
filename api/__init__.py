"""The HTTP API, and the web app it serves. What all requests share is `house`; what is asked of it, a file of `routes` each."""
