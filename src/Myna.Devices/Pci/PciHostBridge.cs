using Myna.Hardware.State;

namespace Myna.Devices.Pci;

/// <summary>The function 00:00.0 that a root bus shows for itself: a host bridge without registers.</summary>
[Stateful("pci-host-bridge")]
public sealed partial class PciHostBridge() : PciDevice("pci-host", new PciIdentity(0x1b36, 0x0008, 0x060000, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100));
