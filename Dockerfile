# `atrous serve` in a container:
#   docker build --tag atrous .
#   docker run --publish 127.0.0.1:8000:8000 atrous
#   docker run --gpus all --publish 127.0.0.1:8000:8000 atrous    # on NVIDIA's graphics cards
# The torch that pip finds by itself brings CUDA along. Some gigabytes smaller, for processors alone, with the options of
# pip for such builds in the variable TORCH_FROM (PyTorch's page on installation names them):
#   docker build --tag atrous:cpu --build-arg TORCH_FROM .
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# Layers from what changes seldom to what changes often: torch, the other libraries, the package.
WORKDIR /build
COPY constraints.txt .
ARG TORCH_FROM=""
RUN pip install --no-deps --constraint constraints.txt $TORCH_FROM torch

COPY pyproject.toml .
RUN python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
        print(*project["dependencies"], *project["optional-dependencies"]["serve"], sep="\n")' > requirements.txt \
    && pip install --constraint constraints.txt --requirement requirements.txt

COPY README.md LICENSE ./
COPY src src
RUN pip install --no-deps .

# What is fetched (weights that are asked for by name) and compiled lies here: mount it to keep it.
RUN useradd --uid 10001 --create-home atrous && mkdir /cache && chown atrous /cache
ENV ATROUS_CACHE=/cache/atrous \
    NUMBA_CACHE_DIR=/cache/numba
WORKDIR /home/atrous
USER 10001

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=2m \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["atrous", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["camvid-v3plus-mobilenet-v2"]
