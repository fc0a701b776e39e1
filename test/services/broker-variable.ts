/** In the environment of the tests and of the programs that they start: the broker's address. */
export const brokerVariable = 'SOJOURN_TEST_SERVICES'
