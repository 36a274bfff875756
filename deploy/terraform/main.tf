# What foretoken deploy needs to be there: a network, an EKS cluster with Trainium2 nodes, a bucket, and the pods' right to
# it. Steps 1 to 5 of docs/trainium2.md in one file. See README.md for what was checked.

terraform {
  required_version = ">= 1.5.7"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.28"
    }
  }
}

provider "aws" {
  region = var.region
}

data "aws_availability_zones" "available" {
  state = "available"
}

locals {
  # Nodes of a reservation must start in its zone; the control plane needs a second one.
  others = [for zone in data.aws_availability_zones.available.names : zone if zone != var.zone]
  zones  = [var.zone, local.others[0]]
}

module "vpc" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "~> 6.0"

  name               = var.cluster
  cidr               = "10.0.0.0/16"
  azs                = local.zones
  private_subnets    = ["10.0.0.0/18", "10.0.64.0/18"]
  public_subnets     = ["10.0.128.0/20", "10.0.144.0/20"]
  enable_nat_gateway = true
  single_nat_gateway = true
  private_subnet_tags = {
    "karpenter.sh/discovery" = var.cluster
  }
}

module "eks" {
  source  = "terraform-aws-modules/eks/aws"
  version = "21.19.0"

  name                                     = var.cluster
  kubernetes_version                       = var.kubernetes_version
  vpc_id                                   = module.vpc.vpc_id
  subnet_ids                               = module.vpc.private_subnets
  endpoint_public_access                   = true
  endpoint_public_access_cidrs             = var.api_cidrs
  enable_cluster_creator_admin_permissions = true

  addons = {
    coredns = {}
    eks-pod-identity-agent = {
      before_compute = true
    }
    kube-proxy = {}
    # Without this setting network policies are accepted and hold nothing back.
    vpc-cni = {
      before_compute       = true
      configuration_values = jsonencode({ enableNetworkPolicy = "true" })
    }
    aws-ebs-csi-driver = {
      pod_identity_association = [{
        role_arn        = aws_iam_role.disks.arn
        service_account = "ebs-csi-controller-sa"
      }]
    }
  }

  eks_managed_node_groups = {
    system = {
      instance_types = ["m7i.large"]
      min_size       = 2
      max_size       = 2
      desired_size   = 2
    }
    accelerators = {
      ami_type       = "AL2023_x86_64_NEURON"
      instance_types = [var.instance_type]
      subnet_ids     = [module.vpc.private_subnets[0]]
      min_size       = 0
      max_size       = var.nodes
      desired_size   = var.nodes
      capacity_type  = var.capacity_block == null ? "ON_DEMAND" : "CAPACITY_BLOCK"

      instance_market_options = var.capacity_block == null ? null : {
        market_type = "capacity-block"
      }
      capacity_reservation_specification = var.capacity_block == null ? null : {
        capacity_reservation_target = {
          capacity_reservation_id = var.capacity_block
        }
      }

      block_device_mappings = {
        root = {
          device_name = "/dev/xvda"
          ebs = {
            volume_size           = var.node_volume_size
            volume_type           = "gp3"
            encrypted             = true
            delete_on_termination = true
          }
        }
      }

      # The machine's own disks, joined; pods live on them.
      cloudinit_pre_nodeadm = [{
        content_type = "application/node.eks.aws"
        content      = <<-END
          apiVersion: node.eks.aws/v1alpha1
          kind: NodeConfig
          spec:
            instance:
              localStorage:
                strategy: RAID0
        END
      }]
    }
  }
}

# Weights, compiled programs and results.
resource "aws_s3_bucket" "models" {
  bucket = var.bucket
}

resource "aws_s3_bucket_public_access_block" "models" {
  bucket                  = aws_s3_bucket.models.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "pods" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.models.arn]
  }
  statement {
    actions = ["s3:GetObject"]
    resources = [
      "${aws_s3_bucket.models.arn}/models/*", "${aws_s3_bucket.models.arn}/compiled/*",
      "${aws_s3_bucket.models.arn}/results/*",
    ]
  }
  statement {
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.models.arn}/compiled/*", "${aws_s3_bucket.models.arn}/results/*"]
  }
}

resource "aws_iam_role" "models" {
  name_prefix        = "${var.cluster}-models-"
  assume_role_policy = data.aws_iam_policy_document.pods.json
}

resource "aws_iam_role_policy" "models" {
  role   = aws_iam_role.models.id
  policy = data.aws_iam_policy_document.bucket.json
}

resource "aws_eks_pod_identity_association" "models" {
  for_each        = toset(var.service_accounts)
  cluster_name    = module.eks.cluster_name
  namespace       = var.namespace
  service_account = each.value
  role_arn        = aws_iam_role.models.arn
}

resource "aws_iam_role" "disks" {
  name_prefix        = "${var.cluster}-disks-"
  assume_role_policy = data.aws_iam_policy_document.pods.json
}

resource "aws_iam_role_policy_attachment" "disks" {
  role       = aws_iam_role.disks.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
}

# Where images of Foretoken are pushed to.
resource "aws_ecr_repository" "foretoken" {
  name                 = "foretoken"
  image_tag_mutability = "IMMUTABLE"
}

output "kubeconfig" {
  value = "aws eks update-kubeconfig --region ${var.region} --name ${module.eks.cluster_name}"
}

output "image" {
  description = "make image IMAGE=… PUSH=1, and --benchmark-image"
  value       = "${aws_ecr_repository.foretoken.repository_url}:0.1.0"
}

output "bucket" {
  description = "--bucket"
  value       = aws_s3_bucket.models.bucket
}
