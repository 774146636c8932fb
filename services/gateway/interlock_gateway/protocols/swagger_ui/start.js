SwaggerUIBundle({ url: "/schema/openapi.json", dom_id: "#document", deepLinking: true, validatorUrl: null });
