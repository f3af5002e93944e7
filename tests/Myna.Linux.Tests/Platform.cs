// User programs run on the host's own Linux kernel, and so do their tests.
[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]
