@testable import Deployment
