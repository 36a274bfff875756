variable "region" {
  type    = string
  default = "us-east-2"
}

variable "zone" {
  description = "Availability zone of the accelerators; of a Capacity Block, the reservation's own."
  type        = string
}

variable "cluster" {
  type    = string
  default = "foretoken"
}

variable "kubernetes_version" {
  type    = string
  default = "1.34"
}

variable "instance_type" {
  type    = string
  default = "trn2.48xlarge"
}

variable "nodes" {
  description = "Machines with accelerators; each is paid from here on."
  type        = number
  default     = 1
}

variable "capacity_block" {
  description = "Id of a Capacity Block's reservation (cr-…); null starts machines on demand."
  type        = string
  default     = null
}

variable "node_volume_size" {
  description = "GiB of the nodes' own volume; foretoken deploy says what is needed."
  type        = number
  default     = 100
}

variable "bucket" {
  description = "Name of the bucket to make for weights, compiled programs and results."
  type        = string
}

variable "namespace" {
  type    = string
  default = "foretoken"
}

variable "service_accounts" {
  description = "Of the deployments; foretoken deploy names one after each model."
  type        = list(string)
  default     = ["qwen3-32b"]
}

variable "api_cidrs" {
  description = "Addresses that may reach the cluster's API, such as [\"203.0.113.7/32\"]."
  type        = list(string)
}
