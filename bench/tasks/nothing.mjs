// The floor: what a process takes that does nothing.
console.log('{}')
