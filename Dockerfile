FROM python:3.11-slim
WORKDIR /srv/lightbulb
COPY requirements/all.txt requirements/all.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/all.txt
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
ENTRYPOINT ["lightbulb"]
