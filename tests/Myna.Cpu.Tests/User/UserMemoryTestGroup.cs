namespace Myna.Cpu.Tests.User;

/// <summary>A process has one user program's memory and one code cache whose faults are caught: these tests run one by one.</summary>
[CollectionDefinition("user memory")]
public sealed class UserMemoryTestGroup;
