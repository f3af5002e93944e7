namespace Myna.Devices.Pci;

/// <summary>Offsets in a type 0 configuration header (PCI Local Bus Specification 3.0, section 6.1).</summary>
public static class PciRegister
{
    public const int VendorId = 0x00, DeviceId = 0x02, Command = 0x04, Status = 0x06;
    public const int RevisionId = 0x08, ClassCode = 0x09, CacheLineSize = 0x0c, LatencyTimer = 0x0d, HeaderType = 0x0e;
    public const int Bar0 = 0x10, SubsystemVendorId = 0x2c, SubsystemId = 0x2e, ExpansionRom = 0x30, CapabilitiesPointer = 0x34;
    public const int InterruptLine = 0x3c, InterruptPin = 0x3d;

    /// <summary>Where capabilities begin.</summary>
    public const int FirstCapability = 0x40;

    /// <summary>Bytes of configuration space that PCI defines; PCI Express extends them to 4096.</summary>
    public const int ConventionalSize = 256;
    public const int ConfigSize = 4096;
}

/// <summary>Bits of the Command register (PCI 3.0, section 6.2.2).</summary>
[Flags]
public enum PciCommand : ushort
{
    IoSpace = 1 << 0,
    MemorySpace = 1 << 1,
    BusMaster = 1 << 2,
    ParityErrorResponse = 1 << 6,
    SerrEnable = 1 << 8,
    InterruptDisable = 1 << 10,
}

/// <summary>Bits of the Status register (PCI 3.0, section 6.2.3).</summary>
[Flags]
public enum PciStatus : ushort
{
    InterruptStatus = 1 << 3,
    CapabilitiesList = 1 << 4,
}

/// <summary>Capability identifiers (PCI Code and ID Assignment Specification, section 2).</summary>
public static class PciCapabilityId
{
    public const byte Msi = 0x05, VendorSpecific = 0x09, PciExpress = 0x10, MsiX = 0x11;
}

/// <summary>What a function says it is.</summary>
/// <param name="VendorId">Vendor ID.</param>
/// <param name="DeviceId">Device ID.</param>
/// <param name="ClassCode">Base class, sub-class and programming interface, as 0xBBSSPP.</param>
/// <param name="RevisionId">Revision ID.</param>
/// <param name="SubsystemVendorId">Subsystem Vendor ID.</param>
/// <param name="SubsystemId">Subsystem ID.</param>
public readonly record struct PciIdentity(
    ushort VendorId, ushort DeviceId, uint ClassCode, byte RevisionId = 0, ushort SubsystemVendorId = 0, ushort SubsystemId = 0);
